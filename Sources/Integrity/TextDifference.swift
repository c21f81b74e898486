/// How a text differs from the one that was approved: a unified diff that may be shown and sent anywhere.
package struct TextDifference: Hashable, Sendable {
    /// Printable UTF-8 and line feeds: everything else is escaped, secrets are masked.
    package var text: String
    /// How many lines were put in and taken out, whether they are shown or not.
    package var added: Int
    package var removed: Int
    /// How many of the shown lines had something masked.
    package var masked: Int
    /// Not all of it is shown; the last line says how much is not.
    package var isCut: Bool

    package init(text: String, added: Int, removed: Int, masked: Int, isCut: Bool) {
        self.text = text
        self.added = added
        self.removed = removed
        self.masked = masked
        self.isCut = isCut
    }
}
