import ArgumentParser
import Host
import Integrity

@main
struct Millwarden: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millwarden",
        abstract: "Watches the tools of a build host and reports what nobody authorized.",
        discussion: """
            Take a baseline with `millwarden baseline create`, watch it with `millwarden watch`, audit it with \
            `millwarden check`.
            """,
        version: version,
        subcommands: [
            BaselineCommand.self, CheckCommand.self, WatchCommand.self, HistoryCommand.self,
            RulesCommand.self,
            StatusCommand.self, DoctorCommand.self,
        ]
    )

    static let version = "0.1.0"

    /// Parses, runs, and turns every error into one sentence and one exit status.
    static func main() {
        do {
            var command = try parseAsRoot(withOptionalPlaces(ByteArgument.commandLine()))
            try command.run()
        } catch let failure as CommandFailure {
            if !failure.description.isEmpty { complain(failure.description) }
            leave(failure.status)
        } catch {
            let code = exitCode(for: error)
            if code == .validationFailure || code == .success { exit(withError: error) }
            let failure = CommandFailure(classifying: error)
            complain(failure.description)
            leave(failure.status)
        }
    }
}
