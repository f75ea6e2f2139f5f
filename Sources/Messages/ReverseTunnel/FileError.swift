import Glibc
import RemoteCalls

/// The plain `errno` values that `apps_std` returns where something is wrong with a file.
struct FileError: Hashable {
    var code: CInt

    /// `ENOENT`
    static let notFound = FileError(code: ENOENT)
    /// `EACCES`: outside the search path, not a regular file, or to be written.
    static let refused = FileError(code: EACCES)
    /// `EINVAL`
    static let invalid = FileError(code: EINVAL)
    /// `EBADF`: no such file or folder is open.
    static let badHandle = FileError(code: EBADF)
    /// `EMFILE`
    static let tooManyFiles = FileError(code: EMFILE)
    /// `ENAMETOOLONG`
    static let nameTooLong = FileError(code: ENAMETOOLONG)
    /// `ELOOP`
    static let tooManyLinks = FileError(code: ELOOP)
    /// `ENOTDIR`
    static let notFolder = FileError(code: ENOTDIR)
    /// `EOVERFLOW`: a position that the interface cannot say.
    static let overflow = FileError(code: EOVERFLOW)
    /// `EFBIG`
    static let tooLarge = FileError(code: EFBIG)
    /// `EIO`
    static let readFailed = FileError(code: EIO)
    /// `ERANGE`: a string does not fit.
    static let noRoom = FileError(code: ERANGE)

    /// What the last call of the C library failed with.
    static var last: FileError { FileError(code: errno == 0 ? EIO : errno) }

    /// The code as the DSP gets it.
    var result: AEEResult { AEEResult(code) }
}

extension RemoteCallError {
    init(_ error: FileError, _ operation: String) {
        self.init(error.result, operation: "apps_std: \(operation)")
    }
}
