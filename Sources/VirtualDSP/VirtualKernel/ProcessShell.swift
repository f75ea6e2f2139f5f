/// The program that a process on the virtual DSP is made from, as a file: nothing runs it, but a process is
/// only created from the right one.
enum ProcessShell {
    /// What every shell of the virtual DSP contains, and nothing else does.
    private static let marker = Array("HexagonRPC virtual process shell".utf8)
    /// What the images of Qualcomm put before the name of their build.
    private static let buildMark = Array("QC_IMAGE_VERSION_STRING=".utf8)

    /// A shell of a build.
    static func image(build: String) -> [UInt8] {
        var bytes = header
        bytes += marker + [0] + buildMark + Array(build.utf8) + [0]
        bytes += [UInt8](repeating: 0, count: 4096 - bytes.count % 4096)
        return bytes
    }

    /// Firmware of a build.
    static func firmware(build: String) -> [UInt8] {
        var bytes = header
        bytes += buildMark + Array(build.utf8) + [0]
        bytes += [UInt8](repeating: 0, count: 4096 - bytes.count % 4096)
        return bytes
    }

    /// The build of a shell; nil where the bytes are no shell of the virtual DSP.
    static func build(of bytes: UnsafeRawBufferPointer) -> String? {
        let prefix = header + marker + [0] + buildMark
        guard bytes.starts(with: prefix) else { return nil }
        let name = bytes.dropFirst(prefix.count).prefix(128).prefix { $0 != 0 }
        return String(decoding: name, as: UTF8.self)
    }

    /// The head of an ELF file for a Hexagon (`EM_QDSP6`) with no sections and no segments.
    private static let header: [UInt8] = {
        var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 45)
        bytes[16] = 2  // ET_EXEC
        bytes[18] = 164  // EM_QDSP6
        bytes[20] = 1
        bytes[40] = 52
        return bytes
    }()
}
