// swift-tools-version: 6.1
import PackageDescription

// The folders under Sources/ are the floors of the house, lowest first. Arrows point down only.
let package = Package(
    name: "HexagonRPC",
    products: [
        .library(name: "HexagonRPC", targets: ["HexagonRPC"]),
        .library(name: "HexagonInference", targets: ["Engine"]),
        .library(name: "VirtualDSP", targets: ["VirtualDSP"]),
        // The virtual DSP behind the C symbols of Qualcomm's libcdsprpc.so, for tests.
        .library(name: "cdsprpc-simulator", type: .dynamic, targets: ["SimulatedLibrary"]),
        // A process on the virtual DSP, with the DSP's C functions for the modules that it loads.
        .library(name: "virtual-shell", type: .dynamic, targets: ["VirtualShell"]),
        // The DSP program as a library of the host, for the virtual DSP to load.
        .library(name: "htp_skel", type: .dynamic, targets: ["HTPProgram"]),
        // What fastrpc-probe calls on the DSP, likewise.
        .library(name: "fastrpc_probe_skel", type: .dynamic, targets: ["ProbeProgram"]),
        // remote.h and AEEStdErr.h, for modules in C.
        .library(name: "CRemote", targets: ["CRemote"]),
        .plugin(name: "HexagonIDLPlugin", targets: ["HexagonIDLPlugin"]),
        .executable(name: "engine", targets: ["engine-tool"]),
        .executable(name: "fastrpc-probe", targets: ["fastrpc-probe"]),
        .executable(name: "hexagon-idl", targets: ["hexagon-idl"]),
        .executable(name: "virtual-dsp", targets: ["virtual-dsp"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: [
        // Shims: what Swift cannot say itself.
        .target(name: "CLinux", path: "Sources/Shims/CLinux"),
        .target(name: "CRemote", path: "Sources/Shims/CRemote"),
        .systemLibrary(
            name: "CDRM", path: "Sources/Shims/CDRM", pkgConfig: "libdrm", providers: [.apt(["libdrm-dev"])]),

        // Driver
        // What codes mean and what to do about them; serves every floor above.
        swiftTarget("ErrorCodes", floor: "Driver", []),
        swiftTarget("SharedMemory", floor: "Driver", ["CLinux", "CDRM"]),
        swiftTarget("FastRPCLibrary", floor: "Driver", ["CLinux", "SharedMemory"]),
        swiftTarget("FastRPCKernel", floor: "Driver", ["ErrorCodes", "SharedMemory"]),

        // Messages
        swiftTarget("RemoteCalls", floor: "Messages", ["ErrorCodes"]),
        // Generated from IDL/system: what the driver calls and answers.
        swiftTarget("SystemInterfaces", floor: "Messages", ["RemoteCalls"]),
        swiftTarget("ReverseTunnel", floor: "Messages", ["RemoteCalls", "SystemInterfaces"]),
        swiftTarget(
            "DSPQueue", floor: "Messages", ["ErrorCodes", "SharedMemory", "FastRPCLibrary", "RemoteCalls"]),
        swiftTarget("HexagonIDL", floor: "Messages", []),

        // SDK
        swiftTarget(
            "HexagonRPC", floor: "SDK",
            [
                "RemoteCalls", "SystemInterfaces", "ReverseTunnel", "DSPQueue", "FastRPCLibrary",
                "FastRPCKernel", "SharedMemory", "ErrorCodes",
                .product(name: "Logging", package: "swift-log"),
            ]),

        // HTP
        .target(name: "HTPProgram", dependencies: ["CRemote"], path: "Sources/HTP/HTPProgram"),
        .target(name: "ProbeProgram", dependencies: ["CRemote"], path: "Sources/HTP/ProbeProgram"),
        swiftTarget("HTPInterface", floor: "HTP", ["HexagonRPC", "RemoteCalls"]),
        swiftTarget("HTPDevice", floor: "HTP", ["HTPInterface", "HexagonRPC"]),

        // Inference
        swiftTarget("GGUF", floor: "Inference", []),
        swiftTarget("Quantization", floor: "Inference", ["GGUF"]),
        .target(name: "CPUKernels", path: "Sources/Inference/CPUKernels"),
        swiftTarget("Tokenization", floor: "Inference", ["GGUF"]),
        swiftTarget("ChatTemplate", floor: "Inference", []),
        swiftTarget("Models", floor: "Inference", ["GGUF"]),
        swiftTarget(
            "Runtime", floor: "Inference",
            ["Models", "Quantization", "CPUKernels", "HTPDevice", "HexagonRPC", "GGUF", "CLinux"]),
        swiftTarget(
            "Engine", floor: "Inference",
            [
                "Runtime", "Models", "Tokenization", "ChatTemplate", "Quantization", "CPUKernels",
                "HTPDevice",
                "HexagonRPC", "GGUF",
            ]),

        // Beside the floors: tools and tests may use it, no floor above Driver does.
        // A process on the DSP whose code is Hexagon's, under qemu. What runs in it is HexagonProcess, in C.
        swiftTarget("QemuHost", floor: "VirtualDSP", ["RemoteCalls", "SharedMemory", "CLinux"]),
        swiftTarget(
            "VirtualDSP", floor: "VirtualDSP",
            ["HexagonRPC", "HTPProgram", "CRemote", "QemuHost", "SharedMemory"]),
        swiftTarget("SimulatedLibrary", floor: "VirtualDSP", ["VirtualDSP"]),
        // The DSP under the kernel's interface: channel, process on the DSP, driver, and the machine that
        // shows them to other programs.
        swiftTarget("VirtualChannel", floor: "VirtualDSP", ["CLinux", "RemoteCalls", "SharedMemory"]),
        .target(name: "CShell", path: "Sources/VirtualDSP/CShell"),
        swiftTarget(
            "VirtualShell", floor: "VirtualDSP",
            [
                "VirtualChannel", "QemuHost", "RemoteCalls", "SystemInterfaces", "ReverseTunnel", "DSPQueue",
                "SharedMemory", "CRemote", "CShell", "CLinux",
            ]),
        swiftTarget(
            "VirtualKernel", floor: "VirtualDSP",
            ["VirtualChannel", "FastRPCKernel", "RemoteCalls", "SharedMemory", "CLinux"]),
        swiftTarget(
            "VirtualMachine", floor: "VirtualDSP",
            ["VirtualKernel", "FastRPCKernel", "SharedMemory", "CLinux"]),

        // Tools
        .executableTarget(
            name: "engine-tool",
            dependencies: [
                "Engine", "Runtime", "VirtualDSP", "HTPDevice", "HexagonRPC", "FastRPCLibrary", "GGUF",
                "Tokenization", "ChatTemplate", "Quantization",
                "CPUKernels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Tools/engine"),
        // What fastrpc-probe looks at, tries and reports.
        swiftTarget(
            "Diagnosis", floor: "Tools",
            [
                "HexagonRPC", "HTPInterface", "SystemInterfaces", "RemoteCalls", "FastRPCKernel",
                "FastRPCLibrary", "SharedMemory", "ErrorCodes",
            ]),
        .executableTarget(
            name: "fastrpc-probe",
            dependencies: [
                "Diagnosis", "ErrorCodes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Tools/fastrpc-probe"),
        .executableTarget(
            name: "hexagon-idl",
            dependencies: [
                "HexagonIDL",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Tools/hexagon-idl"),
        .executableTarget(
            name: "virtual-dsp",
            dependencies: [
                "VirtualMachine", "VirtualKernel", "VirtualChannel", "QemuHost", "SharedMemory", "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Tools/virtual-dsp"),

        // Compiles the interface definitions of an app's targets.
        .plugin(
            name: "HexagonIDLPlugin", capability: .buildTool(), dependencies: ["hexagon-idl"],
            path: "Sources/Plugins/HexagonIDLPlugin"),

        // Tests, by what they need: Tiny is the whole line in a minute, Unit needs nothing, Data needs
        // the shared models and tokenizers, Toolchain needs compilers or Python.
        .target(
            name: "TestSupport",
            dependencies: ["GGUF", "VirtualChannel", "RemoteCalls", "ReverseTunnel", "SharedMemory"],
            path: "Tests/Support"),
        // A program of somebody who uses the SDK, which the tests run under a virtual DSP.
        .executableTarget(
            name: "dsp-client",
            dependencies: [
                "HexagonRPC", "VirtualDSP",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Client"),
        // Repacking of weights, timed: `Tests/bench-repack`.
        .executableTarget(
            name: "bench-repack",
            dependencies: [
                "HTPDevice", "Runtime", "GGUF", "SharedMemory",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Benchmark"),
        .testTarget(
            name: "TinyTests",
            dependencies: ["TestSupport", "Engine", "HexagonRPC", "VirtualDSP"],
            path: "Tests/Tiny"),
        .testTarget(
            name: "UnitTests",
            dependencies: [
                "TestSupport", "SharedMemory", "FastRPCLibrary", "FastRPCKernel", "RemoteCalls",
                "SystemInterfaces", "ReverseTunnel", "DSPQueue",
                "HexagonIDL",
                "HexagonRPC", "HTPInterface", "HTPProgram", "HTPDevice", "GGUF", "Quantization", "CPUKernels",
                "Tokenization", "ChatTemplate", "ErrorCodes", "Diagnosis",
                "Models", "Runtime", "Engine", "VirtualDSP", "CRemote", "engine-tool",
                "VirtualChannel", "VirtualShell", "VirtualKernel", "VirtualMachine", "virtual-dsp", "CLinux",
            ],
            path: "Tests/Unit",
            // What the probe's output is compared with.
            exclude: ["Diagnosis/Snapshots"]),
        .testTarget(
            name: "DataTests",
            dependencies: [
                "TestSupport", "engine-tool", "Engine", "VirtualDSP", "Tokenization", "GGUF", "Quantization",
            ],
            path: "Tests/Data"),
        .testTarget(
            name: "ToolchainTests",
            dependencies: [
                "TestSupport", "SharedMemory", "FastRPCLibrary", "FastRPCKernel", "RemoteCalls",
                "ReverseTunnel", "DSPQueue", "HexagonIDL", "HexagonRPC", "HTPProgram", "GGUF", "Quantization",
                "CPUKernels", "Tokenization", "ChatTemplate", "Engine", "VirtualDSP", "VirtualChannel",
                "VirtualShell",
                "VirtualKernel", "VirtualMachine", "QemuHost", "HTPInterface", "HTPDevice", "engine-tool",
                "virtual-dsp", "fastrpc-probe", "ErrorCodes", "Diagnosis", "dsp-client",
            ],
            path: "Tests/Toolchain",
            // C and Python that the tests compile or run themselves.
            exclude: [
                "CPUKernels/Fixtures", "HTPProgram/Fixtures", "VirtualDSP/Fixtures", "QemuHost/Fixtures",
                "Witness",
            ]),
    ],
    cLanguageStandard: .c11
)

for target in package.targets where [.regular, .executable, .test].contains(target.type) {
    target.swiftSettings = [.enableUpcomingFeature("ExistentialAny")]
}

func swiftTarget(_ name: String, floor: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(floor)/\(name)")
}
