import Glibc
import HexagonRPC

/// The machine as its file system shows it. Nothing is written, and of files only regular ones are opened.
package struct Machine: Sendable {
    /// A folder that stands in for `/`, for tests.
    package let root: String
    /// Its files.
    var files: HostFiles { HostFiles(root: root) }
    package let environment: [String: String]
    /// Owner, group and mode of files in a folder that stands in for `/`, where whoever made the folder could not
    /// give them away. What is not listed is everybody's.
    private let ownership: [String: FileAttributes]?
    package let user: User
    /// Whether a folder stands in for the root, so that this program's own machine says nothing about it.
    var isMadeUp: Bool { !root.isEmpty }

    /// The machine that this program runs on, or the folder that `FASTRPC_PROBE_ROOT` names.
    package init(environment: [String: String]) {
        self.init(root: environment["FASTRPC_PROBE_ROOT"] ?? "", environment: environment)
    }

    package init(
        root: String, environment: [String: String], ownership: [String: FileAttributes]? = nil,
        user: User = User()
    ) {
        self.root = root
        self.environment = environment
        self.ownership = ownership
        self.user = user
    }

    /// Names in a folder, sorted; none if it cannot be read.
    func list(_ directory: String) -> [String] { files.list(directory) }

    func exists(_ path: String) -> Bool { files.exists(path) }

    /// What is wrong with reading `path` as this user, or nil. Decided without opening it.
    func refusal(_ path: String) -> String? {
        if let attributes = ownership?[path], exists(path) {
            return attributes.allowsReading(by: user) ? nil : String(cString: strerror(EACCES))
        }
        return access(root + path, R_OK) == 0 ? nil : String(cString: strerror(errno))
    }

    /// Owner, group and mode of a file.
    func attributes(_ path: String) -> FileAttributes? {
        var status = stat()
        guard stat(root + path, &status) == 0 else { return nil }
        if let ownership {
            return ownership[path] ?? FileAttributes(owner: "root", group: "root", mode: 0o666)
        }
        return FileAttributes(
            owner: getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)",
            group: getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)",
            mode: status.st_mode & 0o7777)
    }

    func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(root + path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Where a link leads, in the link's own words.
    func link(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = readlink(root + path, &bytes, bytes.count)
        guard count >= 0 else { return nil }
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What tells one file from another, whatever paths lead there.
    func identity(_ path: String) -> FileIdentity? {
        var status = stat()
        guard stat(root + path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    struct FileIdentity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    /// The content of a regular file, at most `limit` bytes of it.
    func bytes(_ path: String, limit: Int = 1 << 20) -> [UInt8]? { files.bytes(path, limit: limit) }

    /// The text of a small file without line end, or the NUL that device-tree properties end with.
    func text(_ path: String) -> String? { files.text(path) }

    /// The lines of a text file.
    func lines(_ path: String) -> [Substring] { files.lines(path) }

    /// What the board is called: the device tree's model, or the environment variable `MACHINE_NAME`,
    /// which libcdsprpc reads in its place.
    var model: String? {
        BoardFolders.model(files, environment)
    }

    /// The strings of the device tree's `compatible`, most specific first.
    var compatible: [String] {
        text("/sys/firmware/devicetree/base/compatible")?.split(separator: "\0").map(String.init) ?? []
    }

    /// Whether anything says that the chip is Qualcomm's: the device tree, the SoC driver, or, on laptops that
    /// boot without a device tree, the firmware.
    var isQualcomm: Bool {
        compatible.contains { $0.hasPrefix("qcom,") }
            || text("/sys/devices/soc0/vendor")?.contains("Qualcomm") == true
            || text("/sys/devices/soc0/family")?.contains("Snapdragon") == true
            || text("/sys/class/dmi/id/product_family")?.contains("Snapdragon") == true
    }

    /// The running kernel's release.
    var kernelRelease: String? {
        text("/proc/sys/kernel/osrelease")
    }

    /// What says that this is a container, or nil.
    var container: String? {
        ["/.dockerenv", "/run/.containerenv"].first(where: exists)
    }
}

/// Who may use a file.
package struct FileAttributes: Hashable, Sendable {
    package var owner: String
    package var group: String
    package var mode: UInt32

    package init(owner: String, group: String, mode: UInt32) {
        self.owner = owner
        self.group = group
        self.mode = mode
    }

    /// The mode in octal, as `chmod` takes it.
    var octal: String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// For example `root:render 0660`.
    var description: String { "\(owner):\(group) \(octal)" }

    /// What the mode's bits say.
    func allowsReading(by user: User) -> Bool {
        if user.name == owner { return mode & 0o400 != 0 }
        if user.groups.contains(group) { return mode & 0o040 != 0 }
        return mode & 0o004 != 0
    }
}
