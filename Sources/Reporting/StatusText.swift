import Integrity
import Ledger
import RulePacks
package import Warden

extension StatusReport {
    /// The answer of `status` for a person: the verdict in one line, then what is covered and what waits.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.sentence(verdictLine(style.width), paint: paint)
        coverage(&page)
        standing(&page)
        checks(&page)
        queues(&page)
        if evidence.files > 0 { page.pair("evidence", evidenceText, indent: 2) }
        for sentence in trouble { page.pair("trouble", safe(sentence), indent: 2) }
        return page.text
    }

    private var evidenceText: String {
        let oldest = evidence.oldest.map { ", the oldest of \($0.utc)" } ?? ""
        return
            "\(counted(evidence.files, "altered file")), \(byteText(evidence.bytes)) of \(byteText(evidenceLimit))\(oldest)"
    }

    private var isClean: Bool {
        (history?.differing ?? 0) == 0 && (history?.gaps.isEmpty ?? true) && trouble.isEmpty
    }

    private var paint: Paint { isRunning ? isClean ? .good : .warning : .bad }

    func verdictLine(_ width: Int) -> String {
        guard let service else {
            return fitting(
                width,
                [
                    "not running on \(stateDirectory); start it with `millwarden watch`",
                    "not running; start it with `millwarden watch`", "not running",
                ]
            )
        }
        let pid = service["pid"]?.integer ?? 0
        guard let ready = service["ready_since"]?.text.flatMap({ Timestamp(rfc3339: $0) }) else {
            return "starting, pid \(pid): not everything is watched yet"
        }
        let differing = history?.differing ?? 0
        let gaps = history?.gaps.count ?? 0
        let words = [
            differing > 0 ? counted(differing, "path differs", "paths differ") : nil,
            gaps > 0 ? counted(gaps, "open gap") : nil,
        ].compactMap { $0 }
        let result = words.isEmpty ? "nothing differs" : enumerated(words)
        return fitting(
            width,
            ["running since \(ready.utc), pid \(pid): \(result)", "running, pid \(pid): \(result)"]
        )
    }

    private func coverage(_ page: inout TextPage) {
        switch baseline {
        case .missing: page.pair("baseline", "none; make one with `millwarden baseline create`", indent: 2)
        case .untrusted(let reason): page.pair("baseline", "not trusted: \(safe(reason))", indent: 2)
        case .trusted(let summary, _, let anchor):
            let doubt = anchor == .missing ? "; the history does not know it" : ""
            page.pair(
                "baseline",
                "generation \(summary.generation) of \(summary.created.utc), \(counted(summary.entries, "record"))\(doubt)",
                indent: 2
            )
            page.name(safe(summary.signedBy), label: "  " + padded("signed by", 12) + " ")
        }
        if let service {
            let watched = service["directories_watched"]?.integer ?? 0
            let inForce = counted(service["rules"]?.integer ?? 0, "rule")
            page.pair(
                "watching",
                "\(counted(watched, "directory", "directories")), \(service["paths"]?.integer ?? 0) paths, \(inForce)",
                indent: 2
            )
        }
        packs(&page)
        guard let service else { return }
        who(&page, service)
        if let unexamined = service["unexamined"]?.integer, unexamined > 0 {
            page.pair("unexamined", counted(unexamined, "path") + " since the baseline", indent: 2)
        }
        for place in (service["not_entered"]?.elements ?? []).compactMap(\.object) {
            let path = RawPath(bytes: place.bytes("path") ?? [])
            page.name(
                "\(path) (\(safe(place["fstype"]?.text ?? "")))",
                label: "  " + padded("not entered", 12) + " "
            )
        }
        let unnamed =
            (service["not_entered_count"]?.integer ?? 0) - Int64(service["not_entered"]?.elements?.count ?? 0)
        if unnamed > 0 { page.pair("", "and \(unnamed) more", indent: 2) }
    }

    private func who(_ page: inout TextPage, _ service: JSONObject) {
        guard let who = service["who"]?.object, let level = who["level"]?.text else { return }
        var words = safe(level)
        if let reason = who["because"]?.text { words += ", because " + safe(reason) }
        if let step = who["next_step"]?.text { words += "; " + safe(step) }
        page.pair("who", words, indent: 2)
        if let unmarked = who["directories_unmarked"]?.integer, unmarked > 0, level != "none" {
            page.pair("", "in \(counted(unmarked, "directory", "directories")) nobody is known", indent: 2)
        }
        let lost = (who["lost_writers"]?.integer ?? 0) + (who["lost_processes"]?.integer ?? 0)
        if lost > 0 {
            page.pair("", "events were lost \(counted(lost, "time")): nobody was named then", indent: 2)
        }
    }

    private func packs(_ page: inout TextPage) {
        guard let rules else { return }
        let on = rules.states.filter(\.isOn).map { safe($0.name) }
        page.pair("packs on", on.isEmpty ? "none" : on.joined(separator: ", "), indent: 2)
        for state in rules.states where !state.isOn {
            page.pair("pack off", "\(safe(state.name)): \(safe(state.reason.description))", indent: 2)
        }
        if rules.ignored.paths > 0 {
            let more = rules.ignored.isTruncated ? "more than " : ""
            page.pair(
                "ignored",
                "\(more)\(counted(rules.ignored.paths, "path")) by rules of that profile",
                indent: 2
            )
        }
        if hasNewerRules {
            page.pair(
                "rules",
                "those on disk are not the ones in force; restart the service to take them up",
                indent: 2
            )
        }
    }

    private func standing(_ page: inout TextPage) {
        guard let history else { return }
        let see = history.differing > 0 ? "; see `millwarden check`" : ""
        page.pair("differing", counted(history.differing, "path") + see, indent: 2)
        if history.unacknowledged > 0 {
            page.pair(
                "undone",
                counted(history.unacknowledged, "change") + " not acknowledged; see `millwarden check`",
                indent: 2
            )
        }
        for gap in history.gaps.prefix(20) {
            page.pair("gap \(gap.id)", "\(gap.reason.rawValue) since \(gap.opened.utc)", indent: 2)
        }
        if history.gaps.count > 20 { page.pair("", "and \(history.gaps.count - 20) more gaps", indent: 2) }
    }

    private func checks(_ page: inout TextPage) {
        guard let history else { return }
        for (label, check) in [("full check", history.lastFull), ("quick check", history.lastQuick)] {
            guard let check else {
                page.pair(label, "never", indent: 2)
                continue
            }
            let age = durationText(time.nanoseconds(since: check.finished))
            page.pair(label, "\(age) ago, exit status \(check.exit)", indent: 2)
        }
        if let sweep = service?["sweep"]?.object { page.pair("sweep", sweepText(sweep), indent: 2) }
        guard !isRunning, let run = history.lastRun else { return }
        page.pair(
            "last run",
            "from \(run.started.utc) "
                + (run.stopped.map { "to \($0.utc)" }
                    ?? "without a stop, last sign of life \(run.lastEntry.utc)"),
            indent: 2
        )
    }

    private func sweepText(_ sweep: JSONObject) -> String {
        func age(_ key: String) -> Int64? {
            sweep[key]?.text.flatMap { Timestamp(rfc3339: $0) }.map { time.nanoseconds(since: $0) }
        }
        let last = age("last_finished").map { "last \(durationText($0)) ago" } ?? "never yet"
        if sweep["running"]?.boolean == true {
            return
                "under way, \(counted(sweep["examined"]?.integer ?? 0, "file")), \(bytes(sweep, "bytes")); \(last)"
        }
        let every = sweep["every_seconds"]?.integer ?? 0
        guard every > 0 else { return "switched off; \(last)" }
        let next = age("next").map { ", next in \(durationText(max(0, -$0)))" } ?? ""
        return "every \(durationText(every * 1_000_000_000)), \(last)\(next)"
    }

    private func queues(_ page: inout TextPage) {
        if let service {
            page.pair("pending", counted(service["pending"]?.integer ?? 0, "path"), indent: 2)
            if let queues = service["queues"]?.object {
                let limit = queues["kernel_event_limit"]?.integer.map { " of \($0) events at most" } ?? ""
                page.pair(
                    "queues",
                    "kernel \(bytes(queues, "kernel_bytes"))\(limit), reader \(bytes(queues, "reader_bytes")) of "
                        + bytes(queues, "reader_limit"),
                    indent: 2
                )
                if let failure = queues["publish_failure"]?.text {
                    page.pair("journal", safe(failure), indent: 2)
                }
            }
            if let trouble = service["trouble"]?.text { page.pair("trouble", safe(trouble), indent: 2) }
        }
        guard let history else { return }
        let last = history.lastPublished.map { ", the last published is \($0.seq) of \($0.time.utc)" } ?? ""
        page.pair(
            "history",
            "\(counted(history.rows, "row")), \(history.unpublished) unpublished\(last)",
            indent: 2
        )
    }

    private func bytes(_ object: JSONObject, _ name: String) -> String {
        byteText(UInt64(max(0, object[name]?.integer ?? 0)))
    }
}
