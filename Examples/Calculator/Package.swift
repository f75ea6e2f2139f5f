// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "Calculator",
    products: [
        .executable(name: "calculator", targets: ["calculator"]),
        // What the DSP loads: libcalculator_skel.so, here built for this machine's virtual DSP.
        .library(name: "calculator_skel", type: .dynamic, targets: ["CalculatorProgram"]),
    ],
    dependencies: [
        .package(name: "HexagonRPC", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .executableTarget(
            name: "calculator",
            dependencies: [
                "CalculatorProgram",
                .product(name: "HexagonRPC", package: "HexagonRPC"),
                .product(name: "VirtualDSP", package: "HexagonRPC"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            plugins: [.plugin(name: "HexagonIDLPlugin", package: "HexagonRPC")]),
        .target(
            name: "CalculatorProgram",
            dependencies: [.product(name: "CRemote", package: "HexagonRPC")]),
    ],
    cLanguageStandard: .c11
)
