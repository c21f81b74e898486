/// The result of `baseline export`.
package struct ExportReport: Hashable, Sendable {
    package var baseline: BaselineSummary
    /// The copy.
    package var file: RawPath
    /// The file of the public key that verifies it.
    package var keyFile: RawPath

    package init(baseline: BaselineSummary, file: RawPath, keyFile: RawPath) {
        self.baseline = baseline
        self.file = file
        self.keyFile = keyFile
    }
}

/// The result of `baseline import`.
package struct ImportReport: Hashable, Sendable {
    package var baseline: BaselineSummary
    /// The file that was read.
    package var file: RawPath
    package var origin: BaselineOrigin
    package var scope: Scope
    /// The host that it was imported on.
    package var host: HostIdentity
    /// It was not made with the history of this host: what was recorded are taken for other files than those here.
    package var isCopy: Bool
    /// What was in force before; nil where there was nothing, or nothing that could be trusted.
    package var replaced: BaselineSummary?

    package init(
        baseline: BaselineSummary,
        file: RawPath,
        origin: BaselineOrigin,
        scope: Scope,
        host: HostIdentity,
        isCopy: Bool,
        replaced: BaselineSummary?
    ) {
        self.baseline = baseline
        self.file = file
        self.origin = origin
        self.scope = scope
        self.host = host
        self.isCopy = isCopy
        self.replaced = replaced
    }

    /// It was made on this machine.
    package var isOwn: Bool { !host.machineID.isEmpty && host.machineID == origin.machineID }
}
