// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with.
///
/// Warnings stop the build where `MILLWARDEN_STRICT` is set (`.ci/run` sets it), so that a newer compiler's new
/// warning never keeps a user from building a released version.
var settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
if Context.environment["MILLWARDEN_STRICT"] != nil {
    settings.append(.treatAllWarnings(as: .error))
}

let package = Package(
    name: "millwarden",
    products: [
        .executable(name: "millwarden", targets: ["millwarden"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // C headers: module maps and inline shims, nothing of ours.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        // From the inside out: no target names one that stands below it.
        .target(name: "Integrity", swiftSettings: settings),
        .target(
            name: "RulePacks",
            dependencies: ["Integrity", .product(name: "Yams", package: "Yams")],
            swiftSettings: settings
        ),
        .target(
            name: "Host",
            dependencies: ["Integrity", "RulePacks", "CLinux", "COpenSSL"],
            swiftSettings: settings
        ),
        .target(
            name: "Ledger",
            dependencies: [
                "Integrity", "Host", "CLinux", "COpenSSL", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Warden",
            dependencies: ["Integrity", "RulePacks", "Host", "Ledger", "CLinux"],
            swiftSettings: settings
        ),
        .target(
            name: "Reporting",
            dependencies: ["Integrity", "RulePacks", "Ledger", "Warden", "Host", "CSystemd", "CLinux"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "millwarden",
            dependencies: [
                "Integrity", "RulePacks", "Host", "Ledger", "Warden", "Reporting", "CLinux", "CSystemd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings
        ),

        // Tests, one folder a module; TestSupport holds what they share.
        .target(
            name: "TestSupport",
            dependencies: ["Integrity", "Host", "CLinux"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrityTests",
            dependencies: ["Integrity", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RulePacksTests",
            dependencies: ["RulePacks", "Integrity", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "HostTests",
            dependencies: ["Host", "RulePacks", "Integrity", "CLinux", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LedgerTests",
            dependencies: [
                "Ledger", "Host", "Integrity", "CLinux", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "WardenTests",
            dependencies: ["Warden", "Ledger", "Host", "RulePacks", "Integrity", "CLinux", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ReportingTests",
            dependencies: [
                "Reporting", "Warden", "Ledger", "RulePacks", "Integrity", "CLinux", "CSystemd",
                "TestSupport",
            ],
            exclude: ["Golden"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Integrity", "Host", "Reporting", "CLinux", "CSystemd", "TestSupport", "millwarden",
            ],
            swiftSettings: settings
        ),
    ]
)
