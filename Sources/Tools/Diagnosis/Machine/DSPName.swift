/// A DSP by its FastRPC name, and the other names that Linux has for it.
package struct DSPName: Hashable, Sendable {
    /// The label in `/dev/fastrpc-<label>` and in a URI's `_dom`.
    package let name: String
    /// The number in the names of shell files.
    let id: Int
    /// What remoteproc calls it.
    let remoteprocNames: [String]

    package static let all = [
        DSPName(name: "adsp", id: 0, remoteprocNames: ["adsp"]),
        DSPName(name: "mdsp", id: 1, remoteprocNames: ["modem", "mss"]),
        DSPName(name: "sdsp", id: 2, remoteprocNames: ["slpi", "sdsp"]),
        DSPName(name: "cdsp", id: 3, remoteprocNames: ["cdsp", "cdsp0"]),
        DSPName(name: "cdsp1", id: 4, remoteprocNames: ["cdsp1"]),
        DSPName(name: "gdsp0", id: 5, remoteprocNames: ["gpdsp0", "gpdsp", "gdsp0"]),
        DSPName(name: "gdsp1", id: 6, remoteprocNames: ["gpdsp1", "gdsp1"]),
    ]

    /// The two nodes that the driver may register for it: plain, and the one that also takes signed code.
    var nodePaths: [String] { ["/dev/fastrpc-\(name)", "/dev/fastrpc-\(name)-secure"] }

    /// Whether a remote processor is this DSP, by its name or, where a kernel gives it the name of the
    /// platform device, by its firmware (`qcom/…/cdsp.mbn`, `qccdsp8380.mbn`).
    func matches(_ processor: RemoteProcessor) -> Bool {
        if remoteprocNames.contains(processor.name) { return true }
        guard !Self.all.contains(where: { $0.remoteprocNames.contains(processor.name) }) else { return false }
        let file = processor.firmware.split(separator: "/").last ?? ""
        guard let match = remoteprocNames.compactMap({ file.firstRange(of: $0) }).first else { return false }
        // "cdsp1" also contains "cdsp"; a chip's number after the name is four digits long.
        let digits = file[match.upperBound...].prefix { $0.isNumber }
        return digits.isEmpty || digits.count > 1
    }
}
