package import Warden

extension DoctorReport {
    /// The report of `doctor` for a person: the verdict in one line, then what limits, worst first, each with what mends
    /// it.
    ///
    /// - Parameters:
    ///   - style: How wide, and whether in colour.
    ///   - isVerbose: What is as it should be is listed too.
    /// - Returns: The whole page.
    package func text(_ style: TextStyle = .plain, isVerbose: Bool = false) -> String {
        var page = TextPage(style)
        page.sentence(verdictLine(style.width), paint: DoctorReport.paint(level))
        for level in DoctorFinding.Level.allCases.reversed() where isVerbose || level != .ok {
            for finding in findings where finding.level == level { add(finding, &page) }
        }
        page.blank()
        if level >= .warning {
            page.sentence("Type the commands as root, then see what is left:")
            page.command("millwarden doctor")
        } else if !isVerbose {
            page.sentence("What is as it should be is listed with --verbose.")
        }
        return page.text
    }

    func verdictLine(_ width: Int) -> String {
        let counts = [
            (count(.problem), "problem"), (count(.warning), "warning"), (count(.note), "note"),
        ].filter { $0.0 > 0 }.map { counted($0.0, $0.1) }
        let words = enumerated(counts)
        switch level {
        case .ok: return "FINE: nothing limits Millwarden on this host"
        case .note:
            return fitting(
                width,
                ["FINE: nothing has to be mended on this host; \(words)", "FINE: \(words)"]
            )
        case .warning: return "WARNING: \(words) on this host"
        case .problem: return "PROBLEM: \(words) on this host"
        }
    }

    private static func paint(_ level: DoctorFinding.Level) -> Paint {
        switch level {
        case .ok, .note: .good
        case .warning: .warning
        case .problem: .bad
        }
    }

    private func add(_ finding: DoctorFinding, _ page: inout TextPage) {
        page.blank()
        let paint: Paint =
            finding.level == .ok
            ? .faint : finding.level == .note ? .heading : DoctorReport.paint(finding.level)
        page.sentence("\(finding.level.rawValue.uppercased())  \(safe(finding.id))", paint: paint)
        page.sentence(finding.message, indent: 2)
        for detail in finding.details { page.name(detail, indent: 4) }
        guard !finding.fixes.isEmpty else { return }
        page.sentence(finding.level >= .warning ? "To mend it:" : "To change it:", indent: 2)
        for fix in finding.fixes { page.command(fix.shell) }
    }
}

extension DoctorFinding.Fix {
    /// A line for a shell; a file is written by one, with its directory.
    var shell: String {
        switch self {
        case .command(let words): words
        case .file(let path, let lines):
            "printf '%s\\n' " + lines.map { "'\($0)'" }.joined(separator: " ")
                + " | install -D -m 644 /dev/stdin \(path)"
        }
    }
}
