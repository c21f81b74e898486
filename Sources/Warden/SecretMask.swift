/// Takes secrets out of the lines of a text, in their order: what comes in many lines is known by the first.
///
/// By pattern: values of names such as `password`, `_authToken` or `aws_secret_access_key`, credentials in URLs, tokens
/// of known shapes, password hashes, private keys. Rather too much than too little: what is masked can be looked up in
/// the file, what has left the host cannot be called back.
package struct SecretMask: Sendable {
    package static let mask = Array("[masked]".utf8)

    private enum State {
        case none
        /// Between `BEGIN … PRIVATE KEY` and its end.
        case privateKey
        /// So many lines of a key that say how many they are.
        case lines(Int)
        /// The value goes on in the next line, after a backslash.
        case continued
        /// An element whose text begins in the next line.
        case element
        /// A YAML block scalar: whatever is indented further than the line with its name.
        case block(indent: Int)
    }

    private var state = State.none

    package init() {}

    /// The line, given without its end, with every secret replaced by `[masked]`.
    package mutating func masked(_ line: ArraySlice<UInt8>) -> (line: [UInt8], isMasked: Bool) {
        switch state {
        case .none: break
        case .privateKey:
            if line.position(of: "-----END") != nil { state = .none }
            return (Self.mask, true)
        case .lines(let left):
            state = left > 1 ? .lines(left - 1) : .none
            return (Self.mask, true)
        case .continued:
            if line.last != UInt8(ascii: "\\") { state = .none }
            return (Self.mask, true)
        case .element:
            guard let end = line.firstIndex(of: UInt8(ascii: "<")) else { return (Self.mask, true) }
            state = .none
            let rest = masked(line[end...])
            return (Self.mask + rest.line, true)
        case .block(let indent):
            let own = line.prefix { $0 == 0x20 || $0 == 0x09 }.count
            if own == line.count || own > indent { return (Self.mask, true) }
            state = .none
        }
        var scan = SecretScan(line)
        scan.run()
        state =
            switch scan.follows {
            case .nothing: .none
            case .privateKey: .privateKey
            case .lines(let count): .lines(count)
            case .continuation: .continued
            case .element: .element
            case .block: .block(indent: line.prefix { $0 == 0x20 || $0 == 0x09 }.count)
            }
        return (scan.masked, !scan.secrets.isEmpty)
    }
}

/// Finds the secrets of one line.
private struct SecretScan {
    enum Follows {
        case nothing, privateKey, continuation, element, block
        case lines(Int)
    }

    let line: ArraySlice<UInt8>
    private(set) var secrets: [Range<Int>] = []
    private(set) var follows = Follows.nothing
    /// Where the line names a machine or a login, as those of netrc(5) do; its end where it does not.
    private let login: Int

    init(_ line: ArraySlice<UInt8>) {
        self.line = line
        login = line.position(of: "login ") ?? line.position(of: "machine ") ?? line.endIndex
    }

    /// The line with each secret, and each group of them that touch, masked once.
    var masked: [UInt8] {
        var output: [UInt8] = []
        var position = line.startIndex
        for secret in secrets.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if secret.upperBound <= position { continue }
            if secret.lowerBound > position || position == line.startIndex {
                output += line[position..<max(position, secret.lowerBound)]
                output += SecretMask.mask
            }
            position = secret.upperBound
        }
        return output + line[position...]
    }

    mutating func run() {
        findKeys()
        findNamedValues()
        findURLs()
        findTokens()
    }

    private mutating func add(_ range: Range<Int>) {
        if !range.isEmpty { secrets.append(range) }
    }

    // MARK: Private keys

    private mutating func findKeys() {
        if let start = line.position(of: "-----BEGIN"), line[start...].position(of: "PRIVATE KEY") != nil {
            let value = start + "-----BEGIN".utf8.count
            if let end = line[value...].position(of: "-----END") {
                add(value..<end)
            } else {
                add(value..<line.endIndex)
                follows = .privateKey
            }
        }
        // PuTTY's own format.
        let lead = "Private-Lines:"
        if line.starts(with: lead.utf8) {
            let digits = line.dropFirst(lead.utf8.count).drop { $0 == 0x20 }
            let count = digits.reduce(0) {
                (0x30...0x39).contains($1) ? min($0 * 10 + Int($1 - 0x30), 10_000) : $0
            }
            if count > 0 { follows = .lines(count) }
        }
    }

    // MARK: Names and their values

    private mutating func findNamedValues() {
        var position = line.startIndex
        while position < line.endIndex {
            guard isNameByte(line[position]) else {
                position += 1
                continue
            }
            let end = line[position...].firstIndex { !isNameByte($0) } ?? line.endIndex
            let name = position..<end
            position = end
            // A name that long is no name; looking at each of its endings would cost its square.
            guard name.count <= 128 else { continue }
            if isSecretName(line[name]), let value = value(after: name) {
                add(value)
                position = max(position, value.upperBound)
            } else if let value = spacedValue(after: name) {
                add(value)
                position = value.upperBound
            }
        }
    }

    /// The value behind `=`, `:`, `=>`, `:=` or, for an element, `>`; nil where there is none that could be a secret.
    private mutating func value(after name: Range<Int>) -> Range<Int>? {
        var position = name.upperBound
        func skipBlanks() {
            while position < line.endIndex, line[position] == 0x20 || line[position] == 0x09 { position += 1 }
        }
        let isElement = name.lowerBound > line.startIndex && line[name.lowerBound - 1] == UInt8(ascii: "<")
        if isElement, position < line.endIndex, line[position] == UInt8(ascii: ">") {
            let start = position + 1
            let end = line[start...].firstIndex(of: UInt8(ascii: "<")) ?? line.endIndex
            if end == line.endIndex { follows = .element }
            return isHarmless(line[start..<end]) ? nil : start..<end
        }
        while position < line.endIndex, [0x22, 0x27, 0x5D, 0x60].contains(line[position]) { position += 1 }
        skipBlanks()
        let separators = line[position...].prefix { [0x3A, 0x3D, 0x3E, 0x3F, 0x2B].contains($0) }
        guard separators.contains(0x3A) || separators.contains(0x3D) else { return nil }
        position = separators.endIndex
        skipBlanks()
        return valueEnd(from: position).map { position..<$0 }
    }

    /// Where a value that begins there ends: at its closing quote, else at the end of the line.
    private mutating func valueEnd(from start: Int) -> Int? {
        guard start < line.endIndex else { return nil }
        let first = line[start]
        if [0x22, 0x27, 0x60].contains(first) {
            var position = start + 1
            while position < line.endIndex, line[position] != first {
                position += line[position] == UInt8(ascii: "\\") ? 2 : 1
            }
            let end = min(position + 1, line.endIndex)
            return isHarmless(line[start..<end]) ? nil : end
        }
        if first == UInt8(ascii: "|") || first == UInt8(ascii: ">") {
            let rest = line[(start + 1)...]
            if rest.allSatisfy({ [0x20, 0x2B, 0x2D].contains($0) || (0x30...0x39).contains($0) }) {
                follows = .block
                return nil
            }
        }
        if line.last == UInt8(ascii: "\\") { follows = .continuation }
        return isHarmless(line[start...]) ? nil : line.endIndex
    }

    /// `password hunter2`, as netrc(5) has it, `--token abc`, and `-u name:word` of curl(1); nothing of pam.d(5).
    private func spacedValue(after name: Range<Int>) -> Range<Int>? {
        guard name.upperBound < line.endIndex, line[name.upperBound] == 0x20 || line[name.upperBound] == 0x09
        else { return nil }
        let start = line[name.upperBound...].firstIndex { $0 != 0x20 && $0 != 0x09 } ?? line.endIndex
        let value = line[start...].prefix { $0 != 0x20 && $0 != 0x09 }
        guard !value.isEmpty else { return nil }
        let word = line[name]
        if word.elementsEqual("-u".utf8) || word.elementsEqual("--user".utf8) {
            return value.firstIndex(of: UInt8(ascii: ":")).map { $0 + 1..<line.endIndex }
        }
        if word.starts(with: "--".utf8) {
            return isSecretName(word) && !isHarmless(value) && value.first != UInt8(ascii: "-")
                ? start..<line.endIndex : nil
        }
        let words: [String] = ["password", "passwd", "passphrase"]
        guard words.contains(where: { word.elementsEqual($0.utf8) }) else { return nil }
        let first = line.firstIndex { $0 != 0x20 && $0 != 0x09 }
        guard first == name.lowerBound || login < name.lowerBound else { return nil }
        let controls = ["required", "requisite", "sufficient", "optional", "include", "substack"]
        let isPAM = value.first == UInt8(ascii: "[") || controls.contains { value.elementsEqual($0.utf8) }
        return isPAM || isHarmless(value) ? nil : start..<line.endIndex
    }

    // MARK: URLs

    private mutating func findURLs() {
        var rest = line
        while let mark = rest.position(of: "://") {
            let start = mark + 3
            let ends = Array("/?# \t\"'<>()".utf8)
            let end = line[start...].firstIndex { ends.contains($0) } ?? line.endIndex
            if let at = line[start..<end].lastIndex(of: UInt8(ascii: "@")) {
                if let colon = line[start..<at].firstIndex(of: UInt8(ascii: ":")) {
                    add(colon + 1..<at)
                } else if at - start >= 16 || line[..<mark].hasSuffix("http")
                    || line[..<mark].hasSuffix("https")
                {
                    add(start..<at)
                }
            }
            rest = line[start...]
        }
    }

    // MARK: Tokens of a known shape

    private mutating func findTokens() {
        var position = line.startIndex
        while position < line.endIndex {
            let isStart = position == line.startIndex || !isTokenByte(line[position - 1])
            if isStart, let end = tokenEnd(from: position) {
                add(position..<end)
                position = end
            } else {
                position += 1
            }
        }
    }

    private func tokenEnd(from start: Int) -> Int? {
        let text = line[start...]
        for shape in TokenShape.all where text.first == shape.first && text.starts(with: shape.prefix) {
            let body = text.dropFirst(shape.prefix.count).prefix(while: shape.isBody)
            if body.count >= shape.least { return body.endIndex }
        }
        return nil
    }
}

/// A token that its issuer marks with how it begins.
private struct TokenShape {
    let prefix: [UInt8]
    /// How many bytes follow at the least.
    let least: Int
    let isBody: @Sendable (UInt8) -> Bool

    var first: UInt8 { prefix[0] }

    init(_ prefix: String, _ least: Int, _ isBody: @escaping @Sendable (UInt8) -> Bool = isTokenByte) {
        self.prefix = Array(prefix.utf8)
        self.least = least
        self.isBody = isBody
    }

    static let all: [TokenShape] = [
        // Amazon
        TokenShape("AKIA", 16), TokenShape("ASIA", 16),
        // GitHub, GitLab
        TokenShape("ghp_", 20), TokenShape("gho_", 20), TokenShape("ghu_", 20), TokenShape("ghs_", 20),
        TokenShape("ghr_", 20), TokenShape("github_pat_", 20), TokenShape("glpat-", 16),
        // Registries of packages and images
        TokenShape("npm_", 30), TokenShape("pypi-", 30), TokenShape("dckr_pat_", 16),
        TokenShape("rubygems_", 30),
        TokenShape("cio", 30), TokenShape("oy2", 40),
        // Google, Slack, Stripe, SendGrid, DigitalOcean, Hugging Face, Vault, age
        TokenShape("AIza", 30), TokenShape("ya29.", 20), TokenShape("xoxb-", 10), TokenShape("xoxp-", 10),
        TokenShape("xoxa-", 10), TokenShape("xoxr-", 10), TokenShape("xoxs-", 10), TokenShape("sk_live_", 16),
        TokenShape("rk_live_", 16), TokenShape("SG.", 40), TokenShape("dop_v1_", 30), TokenShape("hf_", 30),
        TokenShape("sk-", 30), TokenShape("hvs.", 20), TokenShape("AGE-SECRET-KEY-1", 20),
        // JSON web tokens
        TokenShape("eyJ", 30),
        // Password hashes of crypt(5)
        TokenShape("$1$", 10, isHashByte), TokenShape("$2a$", 10, isHashByte),
        TokenShape("$2b$", 10, isHashByte),
        TokenShape("$2y$", 10, isHashByte), TokenShape("$5$", 10, isHashByte),
        TokenShape("$6$", 10, isHashByte),
        TokenShape("$7$", 10, isHashByte), TokenShape("$y$", 10, isHashByte),
        TokenShape("$gy$", 10, isHashByte),
        TokenShape("$apr1$", 10, isHashByte), TokenShape("$argon2", 10, isHashByte),
    ]
}

private func isNameByte(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: ".")
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    isNameByte(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "+")
}

private func isHashByte(_ byte: UInt8) -> Bool {
    isTokenByte(byte) || byte == UInt8(ascii: "$") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: ",")
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
}

/// `GITHUB_TOKEN`, `db.password`, `_authToken`, `clientSecret`, `aws_secret_access_key`; not `tokenizer`.
private func isSecretName(_ name: some Collection<UInt8>) -> Bool {
    let lower = name.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    let letters = lower.filter { (0x61...0x7A).contains($0) }
    let endings = [
        "password", "passwd", "passphrase", "passwort", "pwd", "secret", "token", "apikey", "accesskey",
        "secretkey",
        "privatekey", "signingkey", "encryptionkey", "accountkey", "credential", "credentials",
        "authorization",
        "cookie", "psk", "storepass", "keypass",
    ]
    if endings.contains(where: { letters.hasSuffix($0) }) { return true }
    let last = lower.split { !isAlphanumeric($0) }.last ?? []
    return ["auth", "pass", "pw"].contains { last.elementsEqual($0.utf8) }
}

/// A value that tells nothing: a switch, or a variable that holds the secret elsewhere.
private func isHarmless(_ value: ArraySlice<UInt8>) -> Bool {
    let quotes: [UInt8] = [0x20, 0x09, 0x22, 0x27, 0x2C, 0x3B, 0x60]
    let trimmed = value.drop { quotes.contains($0) }
    let end = trimmed.lastIndex { !quotes.contains($0) }.map { $0 + 1 } ?? trimmed.startIndex
    let word = trimmed[..<end]
    let words = [
        "", "true", "false", "yes", "no", "on", "off", "none", "null", "read", "write", "required", "basic",
    ]
    if words.contains(where: { word.elementsEqual($0.utf8) }) { return true }
    guard word.first == UInt8(ascii: "$") else { return false }
    let inside = word.dropFirst()
    if inside.allSatisfy({ $0 == UInt8(ascii: "_") || (0x41...0x5A).contains($0) }) { return true }
    guard inside.first == UInt8(ascii: "{"), inside.last == UInt8(ascii: "}") else { return false }
    return inside.dropFirst().dropLast().allSatisfy { isNameByte($0) || [0x20, 0x7B, 0x7D].contains($0) }
}

extension Collection<UInt8> {
    fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}

extension ArraySlice<UInt8> {
    /// Where a text begins.
    fileprivate func position(of text: String) -> Int? {
        let wanted = Array(text.utf8)
        guard let first = wanted.first else { return nil }
        var start = startIndex
        while let found = self[start...].firstIndex(of: first) {
            if self[found...].starts(with: wanted) { return found }
            start = found + 1
        }
        return nil
    }
}
