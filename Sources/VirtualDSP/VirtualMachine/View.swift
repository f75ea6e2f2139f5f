import CLinux
import Glibc
import SharedMemory

/// Folders of this process's mount namespace into which entries are added.
///
/// A folder that gets an entry is covered by a file system in memory (tmpfs) in which every old entry is
/// mounted again. That works for every kind of file system and without privilege, unlike overlayfs, which takes
/// neither devtmpfs nor sysfs below.
struct View {
    /// What could not be done, on what.
    struct Failure: Error {
        var operation: String
        var path: String
        var code: CInt
    }

    /// Devices of our own file systems in memory.
    private var devices: Set<UInt64> = []

    private enum MountFlag {
        static let noSetID: CUnsignedLong = 1 << 1  // MS_NOSUID
        static let bind: CUnsignedLong = 1 << 12  // MS_BIND
        static let recursive: CUnsignedLong = 1 << 14  // MS_REC
        static let slave: CUnsignedLong = 1 << 19  // MS_SLAVE
        static let detach: CInt = 2  // MNT_DETACH
    }

    /// Keeps what is mounted here from being seen elsewhere.
    init() throws(Failure) {
        try Self.check("make the mounts private", "/") {
            clinux_mount(nil, "/", nil, MountFlag.slave | MountFlag.recursive, nil)
        }
    }

    /// Makes a character device with number 0:0: what `mknod` allows everybody.
    mutating func makeNode(_ path: String, mode: UInt32) throws(Failure) {
        try clear(path)
        try Self.check("make a node", path) { clinux_make_node(path, UInt32(S_IFCHR) | mode & 0o777) }
        try Self.check("set the mode", path) { chmod(path, mode & 0o777) }
    }

    /// Writes a file, in one step for those who read it.
    mutating func writeFile(_ path: String, from source: CInt) throws(Failure) {
        try prepareFolder(of: path)
        let new = path + ".new"
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw Failure(operation: "create a file", path: new, code: errno) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var offset: off_t = 0
        var failure: CInt?
        while failure == nil {
            let count = pread(source, &buffer, buffer.count, offset)
            if count == 0 { break }
            if count < 0 || write(file, buffer, count) != count { failure = count < 0 ? errno : ENOSPC }
            offset += off_t(count)
        }
        fchmod(file, 0o444)
        close(file)
        if let failure {
            unlink(new)
            throw Failure(operation: "write a file", path: path, code: failure)
        }
        if isMountPoint(path) { try clear(path) }
        try Self.check("write a file", path) { rename(new, path) }
    }

    /// Makes a symbolic link.
    mutating func makeLink(_ path: String, target: String) throws(Failure) {
        try clear(path)
        try Self.check("make a link", path) { symlink(target, path) }
    }

    /// Takes an entry away, and folders of ours that are empty then.
    mutating func remove(_ path: String) throws(Failure) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        try clear(path)
        var folder = PathNormalization.folder(of: path)
        while isOurs(folder), rmdir(folder) == 0 { folder = PathNormalization.folder(of: folder) }
    }

    // Makes room for an entry.
    private mutating func clear(_ path: String) throws(Failure) {
        try prepareFolder(of: path)
        while clinux_unmount(path, MountFlag.detach) == 0 {}
        guard unlink(path) != 0, errno != ENOENT else { return }
        try Self.check("remove what is there", path) { rmdir(path) }
    }

    // Makes the folder of an entry, in a file system of ours.
    private mutating func prepareFolder(of path: String) throws(Failure) {
        let folder = PathNormalization.folder(of: path)
        var existing = folder
        var status = stat()
        while stat(existing, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR {
            guard existing != "/" else { throw Failure(operation: "find", path: "/", code: ENOENT) }
            existing = PathNormalization.folder(of: existing)
        }
        if !isOurs(existing) { try cover(existing) }
        guard folder != existing else { return }
        var made = existing == "/" ? "" : existing
        for part in folder.dropFirst(made.count).split(separator: "/") {
            made += "/" + part
            try Self.check("make a folder", made) { mkdir(made, 0o755) }
            chmod(made, 0o755)
        }
    }

    private func isOurs(_ folder: String) -> Bool {
        var status = stat()
        return stat(folder, &status) == 0 && devices.contains(UInt64(status.st_dev))
    }

    private func isMountPoint(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && !devices.contains(UInt64(status.st_dev))
    }

    private mutating func cover(_ folder: String) throws(Failure) {
        guard folder != "/" else {
            throw Failure(operation: "add a folder to the root folder", path: "/", code: EINVAL)
        }
        let old = clinux_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC)
        guard old >= 0 else { throw Failure(operation: "open", path: folder, code: errno) }
        defer { close(old) }
        var status = stat()
        fstat(old, &status)
        let names = SystemCalls.fileNames(in: "/proc/self/fd/\(old)").filter { $0 != "." && $0 != ".." }
        try Self.check("mount a tmpfs", folder) {
            clinux_mount("virtual-dsp", folder, "tmpfs", MountFlag.noSetID, "mode=0755")
        }
        for name in names { try show("/proc/self/fd/\(old)/\(name)", at: "\(folder)/\(name)") }
        chmod(folder, status.st_mode & 0o7777)
        guard stat(folder, &status) == 0 else {
            throw Failure(operation: "look at", path: folder, code: errno)
        }
        devices.insert(UInt64(status.st_dev))
    }

    // Shows an entry of a covered folder in its place again.
    private func show(_ source: String, at path: String) throws(Failure) {
        var status = stat()
        guard lstat(source, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFLNK:
            guard let target = ProcessFiles.link(source) else { return }
            try Self.check("copy a link", path) { symlink(target, path) }
            return
        case S_IFDIR:
            try Self.check("make a folder", path) { mkdir(path, 0o755) }
        default:
            // Not by open, which the supervisor of an outer machine may answer.
            try Self.check("create a file", path) { clinux_make_node(path, UInt32(S_IFREG) | 0o600) }
        }
        try Self.check("mount again", path) {
            clinux_mount(source, path, nil, MountFlag.bind | MountFlag.recursive, nil)
        }
    }

    private static func check(_ operation: String, _ path: String, _ body: () -> CInt) throws(Failure) {
        guard body() == 0 else { throw Failure(operation: operation, path: path, code: errno) }
    }
}
