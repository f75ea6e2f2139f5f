/// A processor that the kernel's remoteproc subsystem runs, as under `/sys/class/remoteproc`.
package struct RemoteProcessor: Hashable, Sendable, Encodable {
    package var path: String
    package var name: String
    package var state: String
    package var firmware: String

    static func all(of machine: Machine) -> [RemoteProcessor] {
        machine.list("/sys/class/remoteproc").map { entry in
            let path = "/sys/class/remoteproc/\(entry)"
            return RemoteProcessor(
                path: path, name: machine.text("\(path)/name") ?? "?",
                state: machine.text("\(path)/state") ?? "?",
                firmware: machine.text("\(path)/firmware") ?? "?")
        }
    }

    /// Where the kernel looks for its firmware, compressed or not.
    func firmwarePaths(on machine: Machine) -> [String] {
        let custom = machine.text("/sys/module/firmware_class/parameters/path") ?? ""
        let release = machine.kernelRelease ?? ""
        let folders =
            (custom.isEmpty ? [] : [custom]) + [
                "/lib/firmware/updates/\(release)", "/lib/firmware/updates", "/lib/firmware/\(release)",
                "/lib/firmware",
            ]
        return folders.flatMap { folder in ["", ".zst", ".xz"].map { "\(folder)/\(firmware)\($0)" } }
    }
}
