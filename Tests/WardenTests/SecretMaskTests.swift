import TestSupport
import Testing
import Warden

struct SecretMaskTests {
    /// Every line masked in order, joined again.
    private func masked(_ text: String) -> String {
        var mask = SecretMask()
        return text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { String(decoding: mask.masked(Array($0.utf8)[...]).line, as: UTF8.self) }
            .joined(separator: "\n")
    }

    @Test(arguments: [
        ("//registry.npmjs.org/:_authToken=npm_0123456789", "//registry.npmjs.org/:_authToken=[masked]"),
        ("_auth=Zm9vOmJhcg==", "_auth=[masked]"),
        ("password: correct horse battery", "password: [masked]"),
        ("db.password = 'a b' # why", "db.password = [masked] # why"),
        (#"{"auth": "Zm9v", "email": "a@b"}"#, #"{"auth": [masked], "email": "a@b"}"#),
        (
            #"  "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","#,
            #"  "private_key": [masked],"#
        ),
        ("export GITHUB_TOKEN=abc", "export GITHUB_TOKEN=[masked]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [masked]"),
        ("key AKIAIOSFODNN7EXAMPLE here", "key [masked] here"),
        ("clientSecret => s3cr3t", "clientSecret => [masked]"),
        (
            "index-url = https://joe:hunter2@pypi.example/simple",
            "index-url = https://joe:[masked]@pypi.example/simple"
        ),
        ("url = https://0123456789abcdef@host/", "url = https://[masked]@host/"),
        ("ssh://git@host/repo.git", "ssh://git@host/repo.git"),
        ("machine host login joe password hunter2", "machine host login joe password [masked]"),
        ("curl -u joe:hunter2 https://host", "curl -u joe:[masked]"),
        ("tool --token abc", "tool --token [masked]"),
        ("Authorization: Bearer abc.def", "Authorization: [masked]"),
        ("use ghp_0123456789abcdefghij0123456789abcdef now", "use [masked] now"),
        ("root:$6$salt$hashhashhash/:19000:0:", "root:[masked]:19000:0:"),
        ("<server><password>hunter2</password></server>", "<server><password>[masked]</password></server>"),
        ("jwt eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx.abc", "jwt [masked]"),
        ("storePassword=secret", "storePassword=[masked]"),
    ])
    func secretsAreMasked(line: String, shown: String) {
        #expect(masked(line) == shown)
    }

    /// What decides how a host lets people in, or which program runs, must be seen.
    @Test(arguments: [
        "PasswordAuthentication yes", "PermitEmptyPasswords no", "password required pam_unix.so sha512",
        "password [success=1 default=ignore] pam_unix.so", "auth sufficient pam_permit.so", "tokenizer: fast",
        "password_file=/etc/evil", "id-token: write", "token: ${{ secrets.NPM }}", "password=$DB_PASSWORD",
        "# the password is asked for", "git-credential-helper", "registry=https://evil.example/",
        "secret: null",
        "credential.helper", "PATH=/tmp/evil:/usr/bin", "CC=/tmp/gcc -Wall", "compass=1", "author: joe",
    ])
    func whatIsNoSecretStays(line: String) {
        #expect(masked(line) == line)
    }

    @Test func privateKeysAreMaskedAsAWhole() {
        let text = """
            before
            -----BEGIN OPENSSH PRIVATE KEY-----
            b3BlbnNzaC1rZXk
            AAAAB3NzaC1yc2E
            -----END OPENSSH PRIVATE KEY-----
            after
            """
        let shown = """
            before
            -----BEGIN[masked]
            [masked]
            [masked]
            [masked]
            after
            """
        #expect(masked(text) == shown)
        #expect(
            masked("Private-Lines: 2\nAAAA\nBBBB\nPrivate-MAC: 1")
                == "Private-Lines: 2\n[masked]\n[masked]\nPrivate-MAC: 1"
        )
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
        #expect(masked(certificate) == certificate)
    }

    @Test func valuesOfManyLinesAreMaskedToTheirEnd() {
        #expect(
            masked("token: |\n  one\n\n  two\nnext: 1") == "token: |\n[masked]\n[masked]\n[masked]\nnext: 1"
        )
        #expect(masked("TOKEN=one\\\ntwo\\\nthree\nfour") == "TOKEN=[masked]\n[masked]\n[masked]\nfour")
        #expect(
            masked("<password>\n  one\n</password>\n<a>") == "<password>\n[masked]\n[masked]</password>\n<a>"
        )
    }

    @Test func aMaskedLineKeepsEverythingBesidesItsSecrets() {
        var random = SeededGenerator()
        let alphabet = Array("pwas=:\"'-u$6{}/@<>\\ AKI\t".utf8) + [0xFF, 0xC3]
        for _ in 0..<3_000 {
            var mask = SecretMask()
            let line = random.bytes(Int.random(in: 0...60, using: &random), mostlyFrom: alphabet)
            let result = mask.masked(line[...])
            if !result.isMasked { #expect(result.line == line, "\(random)") }
            // Also as a slice that does not begin at 0.
            var again = SecretMask()
            #expect(again.masked(([1, 2, 3] + line)[3...]).line == result.line, "\(random)")
        }
    }

    /// Each of these would take minutes where every name looks at the whole line again.
    @Test(arguments: [
        "-----BEGIN", "pw=\"", "://", "-u a ", "password  required ", "<pw>", "pw=yes ", "a=", "$6$", "eyJ",
        "login ",
    ])
    func aLineOfAQuarterMebibyteTakesNoTime(piece: String) throws {
        let line = Array(String(repeating: piece, count: (256 << 10) / piece.utf8.count).utf8)
        let shown = try inTime(60) {
            var mask = SecretMask()
            return mask.masked(line[...]).line
        }
        #expect(!shown.isEmpty)
    }
}
