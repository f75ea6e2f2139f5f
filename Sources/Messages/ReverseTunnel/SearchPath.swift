import Glibc
import RemoteCalls

/// The folders below which the DSP may read, and the walk that never leaves them.
///
/// A name is opened one component at a time, each relative to the folder before it, so that nobody who
/// moves folders about meanwhile can lead the walk out.
struct SearchPath: Sendable {
    var folders: [String]
    /// The DSP's name, for example `cdsp`: a folder of this name is looked into first.
    var domain: String

    static let maximumNameLength = 4095
    static let maximumDepth = 64
    static let maximumLinks = 8

    enum Kind {
        case file
        case folder
    }

    /// The components of a name; none for the folder itself.
    static func components(_ name: String) throws(RemoteCallError) -> [String] {
        guard !name.isEmpty else { throw RemoteCallError(.notFound, "an empty name") }
        guard name.utf8.count <= maximumNameLength else {
            throw RemoteCallError(.nameTooLong, "a name of \(name.utf8.count) bytes")
        }
        guard name.utf8.first != UInt8(ascii: "/") else {
            throw RemoteCallError(.refused, "the absolute name \(name)")
        }
        let parts = split(name)
        guard !parts.contains("..") else { throw RemoteCallError(.refused, "the name \(name)") }
        guard parts.count <= maximumDepth else { throw RemoteCallError(.nameTooLong, "the name \(name)") }
        return parts
    }

    private static func split(_ name: String) -> [String] {
        // By bytes: a combining character after a slash would hide it from a split by characters.
        name.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
            .filter { $0 != "." }
    }

    /// Opens a file or folder below the first folder that has it.
    func open(_ components: [String], _ kind: Kind) throws(RemoteCallError) -> Descriptor {
        var failure = RemoteCallError(.notFound, components.joined(separator: "/"))
        for folder in folders {
            for prefix in domain.isEmpty ? [[]] : [[domain], []] {
                do throws(RemoteCallError) {
                    return try Self.walk(folder, prefix + components, kind)
                } catch {
                    // A refusal says more than the absence from another folder.
                    if failure.result == FileError.notFound.result { failure = error }
                }
            }
        }
        throw failure
    }

    private static func walk(
        _ folder: String, _ components: [String], _ kind: Kind
    ) throws(RemoteCallError) -> Descriptor {
        let name = components.joined(separator: "/")
        func failure(_ error: FileError) -> RemoteCallError { RemoteCallError(error, name) }
        let folderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        // From the outermost folder to where the walk is.
        var stack: [Descriptor] = []
        // The owner chose this one: it may be, or go through, a link.
        guard let root = Descriptor(Glibc.open(folder, folderFlags)) else { throw failure(.last) }
        stack.append(root)
        var ahead = Array(components.reversed())
        var links = 0
        while let part = ahead.popLast() {
            if part == ".." {
                // Only out of a link.
                stack.removeLast()
                guard !stack.isEmpty else { throw failure(.refused) }
                continue
            }
            let place = stack[stack.count - 1].number
            var status = Glibc.stat()
            guard fstatat(place, part, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw failure(.last) }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                guard stack.count <= maximumDepth else { throw failure(.nameTooLong) }
                guard let next = Descriptor(openat(place, part, folderFlags | O_NOFOLLOW)) else {
                    throw failure(.last)
                }
                stack.append(next)
            case S_IFLNK:
                links += 1
                guard links <= maximumLinks else { throw failure(.tooManyLinks) }
                let target = try readLink(place, part)
                guard target.utf8.first != UInt8(ascii: "/") else { throw failure(.refused) }
                ahead.append(contentsOf: split(target).reversed())
                guard ahead.count <= 2 * maximumDepth else { throw failure(.nameTooLong) }
            case S_IFREG:
                guard ahead.isEmpty else { throw failure(.notFolder) }
                guard kind == .file else { throw failure(.notFolder) }
                // Non-blocking, for what may have taken the file's place since.
                let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
                guard let file = Descriptor(openat(place, part, flags)) else { throw failure(.last) }
                guard fstat(file.number, &status) == 0 else { throw failure(.last) }
                guard status.st_mode & S_IFMT == S_IFREG else { throw failure(.refused) }
                return file
            default:
                throw failure(.refused)
            }
        }
        guard kind == .folder else { throw failure(.refused) }
        return stack[stack.count - 1]
    }

    private static func readLink(_ place: CInt, _ name: String) throws(RemoteCallError) -> String {
        var room = [UInt8](repeating: 0, count: maximumNameLength + 1)
        let length = room.withUnsafeMutableBytes { room in
            room.withMemoryRebound(to: CChar.self) { room in
                room.baseAddress.map { readlinkat(place, name, $0, room.count) } ?? -1
            }
        }
        guard length > 0, length < room.count, let target = String(validating: room[..<length], as: UTF8.self)
        else { throw RemoteCallError(.refused, "the link \(name)") }
        return target
    }

    /// The folders that exist, in the order in which they are looked into.
    var existing: [String] {
        var found: [String] = []
        for folder in folders {
            if !domain.isEmpty, (try? Self.walk(folder, [domain], .folder)) != nil {
                found.append(folder + "/" + domain)
            }
            if (try? Self.walk(folder, [], .folder)) != nil { found.append(folder) }
        }
        return found
    }
}

/// A file descriptor that is closed with its last user.
final class Descriptor {
    let number: CInt

    /// Takes over what a call of the C library returned; nil where it failed.
    init?(_ number: CInt) {
        guard number >= 0 else { return nil }
        self.number = number
    }

    deinit { close(number) }
}
