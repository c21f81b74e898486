import ArgumentParser
import Host
import Integrity
import Reporting
import RulePacks
import Warden

struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Which rules there are, whether they are well formed, and which one decides.",
        subcommands: [RulesList.self, RulesLint.self, RulesExplain.self]
    )
}

struct RulesList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the packs with why each is on or off, and their rules."
    )
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.require(.text, .json)
        let rules = try Session(global).loadRules()
        if global.format == .json {
            say(json(rules).pretty)
        } else {
            say(text(rules), terminator: "")
        }
    }

    private func json(_ rules: LoadedRules) -> JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.rules/1"))
        object.append("digest", .string(rules.set.digest.description))
        object.append(
            "packs",
            .array(
                rules.states.map { state in
                    var pack = JSONObject()
                    pack.append("name", .string(state.name))
                    pack.append("file", .string(state.file))
                    pack.append("on", .bool(state.isOn))
                    pack.append("because", .string(state.reason.description))
                    return .object(pack)
                }
            )
        )
        object.append("rules", .array(rules.set.rules.map(\.json)))
        return .object(object)
    }

    private func text(_ rules: LoadedRules) -> String {
        var text = ""
        for state in rules.states {
            text += "\(state.isOn ? "on " : "off") \(state.name): \(state.reason)\n"
            for rule in rules.set.rules where rule.pack == state.name {
                let id = rule.id.padding(to: 28)
                text +=
                    "      \(id) \(rule.severity.name.padding(to: 8)) \(rule.profile.name.padding(to: 13)) "
                    + escaped(Array(rule.title.utf8)) + "\n"
            }
        }
        return text
    }
}

struct RulesLint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Checks rule packs; says file, line and column of everything wrong."
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "Rule packs, or directories of them; without any, those in effect.")
    var files: [ByteArgument] = []

    func run() throws {
        try global.require(.text, .json)
        let places = files.isEmpty ? try Session(global).rulePlaces : files.map(\.path)
        for place in files.map(\.path) where !PathStatus.isThere(place) {
            throw CommandFailure(
                ExitStatus.noInput,
                "\(place) does not exist; name a rule pack or a directory of them"
            )
        }
        let loader = RuleLoader()
        let effective = try loader.files(places)
        var packs: [LoadedPack] = []
        var errors: [RulePackError] = []
        for file in effective.files {
            do {
                packs.append(LoadedPack(pack: try loader.parse(file, in: places), precedence: file.place))
            } catch {
                errors.append(contentsOf: error.errors)
            }
        }
        var contradiction: RuleSetError?
        if errors.isEmpty {
            do {
                _ = try RuleSet(packs: packs, homes: [], hash: SHA256Hasher.digest(of:), canonicalize: { $0 })
            } catch {
                contradiction = error
            }
        }
        if global.format == .json { say(json(effective.files.count, errors, contradiction).pretty) }
        if errors.isEmpty && contradiction == nil {
            if effective.files.isEmpty {
                let shown = places.map(\.description).joined(separator: ", ")
                throw CommandFailure(ExitStatus.configuration, "no rule packs in \(shown)")
            }
            if global.format == .text {
                let rules = packs.reduce(0) { $0 + $1.pack.rules.count }
                say("\(effective.files.count) files, \(rules) rules: no errors")
            }
            return
        }
        if global.format == .text {
            for error in errors { complain(error.description) }
            if let contradiction { complain(contradiction.description) }
        }
        throw CommandFailure(ExitStatus.configuration)
    }

    private func json(_ count: Int, _ errors: [RulePackError], _ contradiction: RuleSetError?) -> JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.rules-lint/1"))
        object.append("files", .int(Int64(count)))
        var list: [JSON] = errors.map { error in
            var item = JSONObject()
            item.append("file", .string(error.file))
            item.append("line", .int(Int64(error.line)))
            item.append("column", .int(Int64(error.column)))
            item.append("message", .string(error.message))
            return .object(item)
        }
        if let contradiction {
            var item = JSONObject()
            item.append("file", .null)
            item.append("line", .null)
            item.append("column", .null)
            item.append("message", .string(contradiction.description))
            list.append(.object(item))
        }
        object.append("errors", .array(list))
        return .object(object)
    }
}

struct RulesExplain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says which rule decides for a path, and why."
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "The path; it need not exist.")
    var path: ByteArgument

    func run() throws {
        try global.require(.text, .json)
        let rules = try Session(global).loadRules()
        let path = RuleLoader().canonical(self.path.path)
        let explanation = rules.set.decide(path)
        if global.format == .json {
            say(json(explanation, rules.set).pretty)
        } else {
            say(text(explanation, rules.set), terminator: "")
        }
    }

    private func json(_ explanation: Explanation, _ set: RuleSet) -> JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.rules-explain/1"))
        object.append(bytes: path.path.bytes, as: "asked")
        object.append(bytes: explanation.path.bytes, as: "path")
        object.append("in_scope", .bool(explanation.isInScope))
        if let match = explanation.match {
            object.append("rule", set.rules[match.rule].json)
            object.append("glob", .string(match.glob))
            object.append("absent", .bool(match.isAbsent))
        } else {
            object.append("rule", .null)
        }
        object.append(
            "others",
            .array(
                explanation.losers.map { loser in
                    var other = JSONObject()
                    other.append("rule", .string(set.rules[loser.match.rule].id))
                    other.append("glob", .string(loser.match.glob))
                    other.append("because", .string(loser.reason.description))
                    return .object(other)
                }
            )
        )
        return .object(object)
    }

    private func text(_ explanation: Explanation, _ set: RuleSet) -> String {
        var text = ""
        if explanation.path != path.path { text += "\(path.path) is \(explanation.path)\n" }
        if let match = explanation.match {
            let rule = set.rules[match.rule]
            let verb =
                match.isAbsent ? "should not exist" : rule.profile == .ignore ? "is ignored" : "is watched"
            text += "\(explanation.path) \(verb)\n"
            text += "  rule      \(rule.id) (\(escaped(Array(rule.title.utf8))))\n"
            text += "  severity  \(rule.severity.name)\n"
            text += "  profile   \(rule.profile.name)\n"
            text += "  because   \(match.isAbsent ? "absent" : "watch") \(match.glob)\n"
            text += "  reason    \(escaped(Array(rule.reason.utf8)))\n"
        } else {
            text += "\(explanation.path) is not in scope: no rule selects it\n"
        }
        for loser in explanation.losers {
            text += "  not       \(set.rules[loser.match.rule].id) (\(loser.match.glob)): \(loser.reason)\n"
        }
        return text
    }
}

extension Rule {
    var json: JSON {
        var object = JSONObject()
        object.append("id", .string(id))
        object.append("pack", .string(pack))
        object.append("title", .string(title))
        object.append("reason", .string(reason))
        object.append("severity", .string(severity.name))
        object.append("profile", .string(profile.name))
        object.append("watch", .array(watch.map(JSON.string)))
        object.append("except", .array(except.map(JSON.string)))
        object.append("absent", .array(absent.map(JSON.string)))
        object.append("keep", .string(keep.name))
        object.append("tags", .array(tags.map(JSON.string)))
        return .object(object)
    }
}

extension String {
    /// Filled with spaces to a width in characters.
    func padding(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
