import CLinux
import Glibc
import SharedMemory
import VirtualKernel

/// The files `/dev/virtual-dsp/NAME`: opening one selects a scenario. `NAME=N` selects it with a number, though
/// no file has that name.
struct ScenarioSwitch: Sendable {
    static let folder = "/dev/virtual-dsp"

    private let kernel: any EmulatedKernel
    private let names: Set<ArraySlice<UInt8>>

    init(_ kernel: any EmulatedKernel) {
        self.kernel = kernel
        names = Set(Scenario.Kind.allCases.map { Array($0.rawValue.utf8)[...] })
    }

    /// The tree with these files.
    static func adding(to tree: VirtualTree) -> VirtualTree {
        var tree = tree
        for kind in Scenario.Kind.allCases {
            tree.files["\(folder)/\(kind.rawValue)"] = Array("\(kind.summary)\n".utf8)
        }
        return tree
    }

    /// Whether the last part of a path may be one of these.
    func mayName(_ name: ArraySlice<UInt8>) -> Bool {
        names.contains(name.prefix { $0 != UInt8(ascii: "=") })
    }

    /// Whether an absolute path is one of these.
    func contains(_ path: String) -> Bool {
        PathNormalization.folder(of: path) == Self.folder
    }

    /// Selects the scenario and returns a descriptor that reads its description.
    ///
    /// - Throws: `EINVAL` for a number that is none, `ENOENT` for a name that is none.
    func open(_ path: String) throws(SystemError) -> CInt {
        let text = path.dropFirst(Self.folder.count + 1)
        guard let scenario = Scenario(String(text)) else {
            throw SystemError(text.contains("=") ? EINVAL : ENOENT)
        }
        kernel.select(scenario)
        let file = try MemoryFile.make("virtual-dsp-scenario", Array("\(scenario.kind.summary)\n".utf8))
        defer { close(file) }
        let reading = clinux_open("/proc/self/fd/\(file)", O_RDONLY | O_CLOEXEC)
        guard reading >= 0 else { throw SystemError(errno) }
        return reading
    }
}
