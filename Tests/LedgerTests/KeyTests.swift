import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

@Suite struct KeyTests {
    let state: TemporaryDirectory
    let store: KeyStore

    init() throws {
        state = try TemporaryDirectory()
        store = KeyStore(stateDirectory: state.path)
    }

    @Test func aSignatureHoldsForItsMessageAndKeyOnly() throws {
        let (key, other) = (try SigningKey.generate(), try SigningKey.generate())
        let signature = try key.sign([1, 2, 3])
        #expect(signature.count == 64)
        #expect(key.publicKey.verify(signature, of: [1, 2, 3]))
        #expect(!key.publicKey.verify(signature, of: [1, 2, 4]))
        #expect(!key.publicKey.verify(signature, of: []))
        #expect(!other.publicKey.verify(signature, of: [1, 2, 3]))
        #expect(!key.publicKey.verify(Array(signature.dropLast()), of: [1, 2, 3]))
        for bit in 0..<signature.count * 8 {
            var altered = signature
            altered[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.publicKey.verify(altered, of: [1, 2, 3]), "bit \(bit)")
        }
    }

    /// RFC 8032, section 7.1, test 2, with the key in the form of RFC 8410.
    @Test func aKnownVectorVerifies() throws {
        let secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
        let public2 = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        let expected =
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        let der = try #require(bytes(hex: "302e020100300506032b657004220420" + secret))
        let pem = "-----BEGIN PRIVATE KEY-----\n\(base64(der))\n-----END PRIVATE KEY-----\n"
        let key = try SigningKey(pem: Array(pem.utf8), path: "/k")
        #expect(hex(key.publicKey.raw) == public2)
        #expect(hex(try key.sign([0x72])) == expected)
        #expect(key.id == "ed25519:" + hex(SHA256Hasher.digest(of: key.publicKey.raw).bytes))
    }

    @Test func bothHalvesComeBackFromTheirFiles() throws {
        let key = try store.ensureBaselineKey()
        #expect(try store.ensureBaselineKey().publicKey == key.publicKey)
        #expect(try store.signingKey(.baseline).publicKey == key.publicKey)
        #expect(try store.trustedKeys(configured: []) == [key.publicKey])
        #expect(try store.ensureHostKey().publicKey != key.publicKey)
        let status = try #require(try LedgerFile.status(store.privateKeyPath(.baseline)))
        #expect(status.st_mode & 0o7777 == 0o600)
        let directory = try #require(try LedgerFile.status(store.directory))
        #expect(directory.st_mode & 0o7777 == 0o700)
        #expect(try names(in: store.directory) == ["baseline.key", "baseline.pub", "host.key", "host.pub"])
    }

    @Test func configuredKeysTakeThePlaceOfTheOwnOne() throws {
        _ = try store.ensureBaselineKey()
        let other = try SigningKey.generate()
        try other.publicKey.save(state.appending("other.pub"))
        #expect(try store.trustedKeys(configured: [state.appending("other.pub")]) == [other.publicKey])
    }

    @Test func aPublicHalfWithoutAPrivateOneIsAnOfflineKey() throws {
        _ = try store.ensureBaselineKey()
        try LedgerFile.remove(store.privateKeyPath(.baseline))
        #expect(throws: KeyError.offline(store.privateKeyPath(.baseline))) { try store.ensureBaselineKey() }
    }

    @Test func theirPublicHalfIsMadeAnewWhereItIsMissing() throws {
        let key = try store.ensureBaselineKey()
        try LedgerFile.remove(store.publicKeyPath(.baseline))
        #expect(try store.ensureBaselineKey().publicKey == key.publicKey)
        #expect(try PublicKey.load(store.publicKeyPath(.baseline)) == key.publicKey)
    }

    @Test func halvesOfTwoKeysAreRefused() throws {
        _ = try store.ensureBaselineKey()
        try LedgerFile.remove(store.publicKeyPath(.baseline))
        try SigningKey.generate().publicKey.save(store.publicKeyPath(.baseline))
        let (privateKey, publicKey) = (store.privateKeyPath(.baseline), store.publicKeyPath(.baseline))
        #expect(throws: KeyError.mismatch(privateKey: privateKey, publicKey: publicKey)) {
            try store.signingKey(.baseline)
        }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o666] as [mode_t])
    func aPrivateKeyThatOthersReachIsRefused(mode: mode_t) throws {
        _ = try store.ensureBaselineKey()
        let path = store.privateKeyPath(.baseline)
        try setMode(mode, of: path)
        #expect(throws: KeyError.unsafeMode(path, mode: UInt16(mode))) { try store.signingKey(.baseline) }
    }

    @Test func aPublicKeyThatEverybodyWritesIsRefused() throws {
        _ = try store.ensureBaselineKey()
        let path = store.publicKeyPath(.baseline)
        try setMode(0o666, of: path)
        #expect(throws: KeyError.unsafeMode(path, mode: 0o666)) { try store.trustedKeys(configured: []) }
    }

    @Test func aKeyIsNeverOverwritten() throws {
        let path = state.appending("a.key")
        try SigningKey.generate().save(path)
        let before = try path.contents()
        #expect(throws: KeyError.exists(path)) { try SigningKey.generate().save(path) }
        #expect(try path.contents() == before)
        #expect(try names(in: state.path) == ["a.key"])
    }

    @Test func missingKeysAreNamed() throws {
        #expect(throws: KeyError.missing(store.publicKeyPath(.baseline))) {
            try store.trustedKeys(configured: [])
        }
        #expect(throws: KeyError.missing(store.privateKeyPath(.host))) { try store.signingKey(.host) }
    }

    @Test func trustedKeysStandBesideTheOwnOne() throws {
        let (first, second) = (try SigningKey.generate().publicKey, try SigningKey.generate().publicKey)
        let file = try #require(try store.trust(first))
        #expect(try store.trust(first) == nil, "it is trusted already")
        #expect(try store.trustedKeys(configured: []) == [first], "a host without a key of its own")
        let own = try store.ensureBaselineKey().publicKey
        let other = try #require(try store.trust(second))
        #expect(try Set(store.trustedKeys(configured: [])) == [own, first, second])
        #expect(try store.trusted(configured: []).first { $0.key == first }?.file == file)
        #expect(try store.trustedKeys(configured: [other]) == [second], "what is configured counts alone")
        let status = try #require(try LedgerFile.status(store.trustedDirectory))
        #expect(status.st_mode & 0o7777 == 0o700)
        store.distrust(file)
        #expect(try Set(store.trustedKeys(configured: [])) == [own, second])
        // Bytes under a name that promises others.
        try LedgerFile.remove(other)
        try first.save(other)
        #expect(throws: KeyError.damaged(other, reason: "it holds another key than its name says")) {
            try store.trust(second)
        }
    }

    @Test func aDirectoryInTheirPlaceIsNoKey() throws {
        try LedgerFile.makeDirectory(state.appending("dir.pub"), mode: 0o755)
        #expect(throws: KeyError.damaged(state.appending("dir.pub"), reason: "it is not a regular file")) {
            try PublicKey.load(state.appending("dir.pub"))
        }
    }

    /// Keys of other kinds: an elliptic curve (prime256v1) and X25519.
    @Test(arguments: [
        (
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W"
                + "K84zV2sxXs7LtkBoN79R9Q==",
            "EC"
        ),
        ("MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73WgMglQlyFm6aCqjdxYrwmQs=", "X25519"),
    ])
    func otherKindsOfKeysAreNamed(body: String, type: String) {
        let pem = "-----BEGIN PUBLIC KEY-----\n\(body)\n-----END PUBLIC KEY-----\n"
        #expect(throws: KeyError.wrongType("/k", found: type)) {
            try PublicKey(pem: Array(pem.utf8), path: "/k")
        }
    }

    @Test func anEncryptedKeyIsRefusedWithoutAsking() {
        let pem = """
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCRWzJd2nFmbCqcM4I0
            -----END ENCRYPTED PRIVATE KEY-----
            """
        #expect(throws: KeyError.self) { try SigningKey(pem: Array(pem.utf8), path: "/k") }
    }

    @Test func randomBytesAreNoKey() throws {
        var generator = SeededGenerator()
        let good = try SigningKey.generate().pem
        for round in 0..<300 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[position] = UInt8.random(in: .min ... .max, using: &generator)
            }
            if round % 2 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator)) }
            // Whatever it is now, it is a key or an error, and never a crash.
            do { _ = try SigningKey(pem: bytes, path: "/k") } catch {
                #expect("\(error)".contains("/k"), "\(generator)")
            }
        }
    }
}
