import Glibc
import HexagonRPC

/// The machine as its file system shows it. Nothing is written, and of files only regular ones are opened.
struct Machine {
    /// A folder that stands in for `/`, for tests: the environment variable `FASTRPC_PROBE_ROOT`.
    let root: String
    /// Its files.
    var files: HostFiles { HostFiles(root: root) }
    let environment: [String: String]

    /// Whether this is a machine made by a test, which libdrm would not see.
    var isMadeUp: Bool { !root.isEmpty }

    init(environment: [String: String]) {
        root = environment["FASTRPC_PROBE_ROOT"] ?? ""
        self.environment = environment
    }

    /// Names in a folder, sorted; none if it cannot be read.
    func list(_ directory: String) -> [String] { files.list(directory) }

    func exists(_ path: String) -> Bool { files.exists(path) }

    /// What is wrong with reading `path` as this user, or nil. Decided without opening it.
    func refusal(_ path: String) -> String? {
        access(root + path, R_OK) == 0 ? nil : String(cString: strerror(errno))
    }

    /// Owner, group and mode of a file.
    func attributes(_ path: String) -> FileAttributes? {
        var status = stat()
        guard stat(root + path, &status) == 0 else { return nil }
        return FileAttributes(
            owner: getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)",
            group: getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)",
            mode: status.st_mode & 0o7777, isFile: status.st_mode & S_IFMT == S_IFREG,
            isDirectory: status.st_mode & S_IFMT == S_IFDIR)
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

    /// The running kernel's release.
    var kernelRelease: String? {
        text("/proc/sys/kernel/osrelease")
    }
}

/// Who may use a file.
struct FileAttributes {
    var owner: String
    var group: String
    var mode: mode_t
    var isFile: Bool
    var isDirectory: Bool

    /// The mode in octal, as `chmod` takes it.
    var octal: String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// For example `root:render 0660`.
    var description: String { "\(owner):\(group) \(octal)" }
}

/// The user who runs the probe.
struct User {
    let name: String
    let groups: [String]

    init() {
        name = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(getuid())"
        var ids = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = ids.isEmpty ? 0 : getgroups(CInt(ids.count), &ids)
        let all = [getgid()] + ids.prefix(Int(max(0, count))).filter { $0 != getgid() }
        groups = all.map { id in getgrgid(id).map { String(cString: $0.pointee.gr_name) } ?? "\(id)" }
    }

    /// Whether the group's entry lists this user, though this login may be older than the entry.
    func isListed(in group: String) -> Bool {
        guard let entry = getgrnam(group), var member = entry.pointee.gr_mem else { return false }
        while let listed = member.pointee {
            if String(cString: listed) == name { return true }
            member += 1
        }
        return false
    }
}
