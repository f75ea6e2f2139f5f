/// The build that a Qualcomm image says it is of.
enum ImageVersion {
    /// The text after `QC_IMAGE_VERSION_STRING=`; nil where the file cannot be read or does not say.
    static func read(_ path: String, on machine: Machine) -> String? {
        guard let bytes = machine.bytes(path, limit: 1 << 26) else { return nil }
        let mark = Array("QC_IMAGE_VERSION_STRING=".utf8)
        var rest = bytes[...]
        while let start = rest.firstIndex(of: mark[0]) {
            rest = rest[start...]
            if rest.starts(with: mark) {
                let version = rest.dropFirst(mark.count).prefix(128).prefix { $0 > 0x20 && $0 < 0x7f }
                if !version.isEmpty { return String(decoding: version, as: UTF8.self) }
            }
            rest = rest.dropFirst()
        }
        return nil
    }
}
