import ArgumentParser
import Host

/// How hard a walk may work; the same for every command that reads what is in scope.
struct ReadingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads that read and hash.", valueName: "n"))
    var jobs: Int?
    @Option(
        help: ArgumentHelp(
            "Read no more than so many bytes a second, such as 50MiB.",
            valueName: "size"
        )
    )
    var rate: RateArgument?

    /// One a processor where nobody says otherwise.
    var threads: Int { jobs ?? processorCount() }

    var limit: ReadRate? { rate?.limit }

    func validate() throws {
        if let jobs, !(1...256).contains(jobs) {
            throw ValidationError("--jobs takes a number from 1 to 256")
        }
    }
}

/// Bytes a second, as `sweep: {rate: …}` of the configuration writes them.
struct RateArgument: ExpressibleByArgument {
    var bytesPerSecond: UInt64

    init?(argument: String) {
        guard let size = parseSize(argument), size > 0 else { return nil }
        bytesPerSecond = size
    }

    var limit: ReadRate { ReadRate(bytesPerSecond: bytesPerSecond) }
}
