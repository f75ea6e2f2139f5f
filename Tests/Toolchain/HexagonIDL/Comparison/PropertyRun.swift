import Foundation
import HexagonIDL

/// Builds the two sides of an interface with generated code and runs them against each other.
struct PropertyRun {
    /// Whose stub and skel.
    enum Origin: String {
        case ours
        case reference
    }

    let compiler: String
    /// Holds the host program and the headers that the reference compiler's code includes.
    let folder: String
    private var host: String { folder + "/host" }

    static let includes = "\(Toolchain.root)/Sources/Shims/CRemote/include"

    /// Builds the host program in a folder.
    init(compiler: String, folder: String) throws {
        self.compiler = compiler
        self.folder = folder
        let shims = folder + "/shims"
        try FileManager.default.createDirectory(atPath: shims, withIntermediateDirectories: true)
        let files = [
            "host.c": PropertyHost.source,
            "shims/zeroed.h":
                "#include <stdlib.h>\n#define malloc(n) calloc(1, n)\ntypedef int AEEResult;\n",
            "shims/HAP_farf.h": "#define HAP_debug_v2 0\n#define FARF(...) ((void)0)\n",
            "shims/AEEStdDef.idl": "#ifndef STANDARD\n#define STANDARD\ntypedef long AEEResult;\n#endif\n",
            "shims/remote.idl": """
            #ifndef REMOTE
            #define REMOTE
            interface remote_handle64 {
              long open(in string uri, rout remote_handle64 h);
              long close(in remote_handle64 h);
            };
            #endif

            """,
        ]
        for (name, text) in files {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
        try Toolchain.run(
            compiler,
            ["-O1", "-w", "-I" + Self.includes, "\(folder)/host.c", "-rdynamic", "-ldl", "-o", host])
    }

    /// Writes our header, skel and stub of a file; headers of what it includes lie beside it already. Of a file
    /// with several interfaces `unit` has one, and `file` all.
    static func generate(_ unit: IDLUnit, header file: IDLUnit? = nil, to folder: String) throws {
        let path = unit.path.split(separator: "/").last.map(String.init) ?? unit.path
        let name = path.hasSuffix(".idl") ? String(path.dropLast(4)) : path
        func write(_ text: String, _ file: String) throws {
            try text.write(toFile: "\(folder)/\(file)", atomically: true, encoding: .utf8)
        }
        try write(try CHeader.generate(file ?? unit), "\(name).h")
        guard unit.interface != nil else { return }
        try write(try CSkel.generate(unit), "\(name)_skel.c")
        try write(try CStub.generate(unit), "\(name)_stub.c")
    }

    /// Builds `caller.so` and `callee.so` in the folder of generated files.
    func build(_ unit: IDLUnit, _ name: String, _ origin: Origin, in generated: String) throws {
        guard let program = PropertyProgram(unit) else { return }
        try program.caller.write(toFile: generated + "/caller.c", atomically: true, encoding: .utf8)
        try program.callee.write(toFile: generated + "/callee.c", atomically: true, encoding: .utf8)
        let flags =
            origin == .ours
            ? ["-DIDL_BOOLEAN=uint8_t"]
            // What its code leaves uninitialized are gaps; here they are zero.
            : ["-DIDL_BOOLEAN=bool", "-ftrivial-auto-var-init=zero", "-w"]
        let common = ["-O0", "-shared", "-fPIC", "-Wl,-Bsymbolic", "-I" + generated, "-I" + Self.includes]
        let shims = origin == .ours ? [] : ["-I\(folder)/shims", "-include", "zeroed.h"]
        for (side, part) in [("caller", "stub"), ("callee", "skel")] {
            try Toolchain.run(
                compiler,
                common + shims + flags + [
                    "\(generated)/\(side).c", "\(generated)/\(name)_\(part).c", "-o",
                    "\(generated)/\(side).so",
                ])
        }
    }

    /// Runs the sides in the folders against each other; throws with the program's report if they differ.
    @discardableResult
    func run(_ generated: [String], rounds: Int, seed: UInt64) throws -> String {
        try Toolchain.run(
            host, ["\(rounds)", "\(seed)"] + generated.flatMap { [$0 + "/caller.so", $0 + "/callee.so"] })
    }
}
