import Glibc
import RemoteCalls
import SystemInterfaces

/// `apps_std`: the files that the DSP reads, such as its skel libraries.
///
/// Reads files below the folders of a search path and from a table in memory, nothing else; writes nothing.
/// Links are followed as long as they stay below their folder. Errors are plain `errno` values.
public final class FileService: ReverseService {
    /// `apps_std`
    public let name = AppsStdMethod.interface
    /// Files that the DSP may have open at the same time.
    public static let maximumFiles = 64
    /// Folders that the DSP may have open at the same time.
    public static let maximumFolders = 16

    let searchPath: SearchPath
    let table: [String: [UInt8]]
    let environment: [String: String]
    let log: @Sendable (String) -> Void
    let shared: (any SharedFileMemory)?
    let observe: @Sendable (_ name: String, _ error: AEEResult?) -> Void
    var files: [Int32: OpenFile] = [:]
    var folders: [UInt64: OpenFolder] = [:]
    /// Descriptors of files that the DSP has as buffers.
    var sharedFiles: Set<Int32> = []

    /// Serves files.
    ///
    /// - Parameters:
    ///   - searchPath: folders of the host. Each is tried as `folder/domain/name`, then `folder/name`.
    ///   - domain: the DSP's name, for example `cdsp`; may be empty.
    ///   - table: files in memory by name, looked up first.
    ///   - environment: all that `getenv` finds.
    ///   - log: gets what the DSP prints with `print_string`.
    ///   - shared: memory for files that the DSP wants as a buffer; nil to refuse that.
    ///   - observe: is told every name that the DSP tries to open, and why it could not.
    public init(
        searchPath: [String], domain: String = "", table: [String: [UInt8]] = [:],
        environment: [String: String] = [:], log: @escaping @Sendable (String) -> Void = { _ in },
        shared: (any SharedFileMemory)? = nil,
        observe: @escaping @Sendable (_ name: String, _ error: AEEResult?) -> Void = { _, _ in }
    ) {
        self.searchPath = SearchPath(folders: searchPath, domain: domain)
        self.table = table
        self.environment = environment
        self.log = log
        self.shared = shared
        self.observe = observe
    }

    /// Serves a call. `AEE_EBADPARM` where it does not fit the interface, `AEE_EUNSUPPORTED` for methods
    /// that write or change the host's environment, and for those that hand out descriptors where there is no
    /// memory for that.
    public func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        var (method, call) = try AppsStdMethod.unpack(scalars, arguments)
        var reply = WireWriter()
        switch method {
        case .fopen: try open(&call, &reply)
        case .fflush: _ = try file(try call.read())
        case .rewind, .clearerr: try change(&call, rewinds: method == .rewind)
        case .fclose: try close(&call)
        case .fread: try read(&call, &reply)
        case .fgetpos: try getPosition(&call, &reply)
        case .fsetpos: try setPosition(&call)
        case .ftell: try tell(&call, &reply)
        case .fseek: try seek(&call)
        case .flen: reply.append(UInt64(try file(try call.read()).length))
        case .feof: reply.append(Int32(try file(try call.read()).isAtEnd ? 1 : 0))
        case .ferror: reply.append(Int32(try file(try call.read()).hasFailed ? 1 : 0))
        case .printString: log(try call.readString())
        case .getenv: try getEnvironment(&call, &reply)
        case .fopenWithEnv: try openWithEnvironment(&call, &reply)
        case .fgets: try readLine(&call, &reply)
        case .getSearchPathsWithEnv: return try getSearchPaths(&call, scalars, arguments)
        case .fileExists: try fileExists(&call, &reply)
        case .opendir: try openFolder(&call, &reply)
        case .closedir: try closeFolder(&call)
        case .readdir: try readFolder(&call, &reply)
        case .stat: try status(&call, &reply)
        case .fopenFd where shared != nil: try openShared(&call, &reply)
        case .fcloseFd where shared != nil: try closeShared(&call)
        case .fopenWithEnvFd where shared != nil: try openSharedWithEnvironment(&call, &reply)
        case .freopen, .fwrite, .setenv, .unsetenv, .fsync, .fremove, .fdopenDecrypt, .mkdir, .rmdir, .ftrunc,
            .frename, .fopenFd, .fcloseFd, .fopenWithEnvFd:
            throw RemoteCallError(.unsupported, operation: "apps_std.\(method)")
        }
        try call.finish(reply)
    }

    private func getEnvironment(
        _ call: inout IncomingCall, _ reply: inout WireWriter
    ) throws(RemoteCallError) {
        let variable = try call.readName()
        let room = try call.roomForSequence(elementSize: 1)
        guard let value = environment[variable] else {
            throw RemoteCallError(.notFound, "the variable \(variable)")
        }
        room.copyString(value)
        reply.append(Int32(clamping: value.utf8.count + 1))
    }

    /// Takes a variable's name and a delimiter. The search path is no string, so all that matters is that
    /// the DSP means it.
    func readSearchVariable(_ call: inout IncomingCall) throws(RemoteCallError) -> Bool {
        let variable = try call.readName()
        let delimiter = try call.readName()
        return (variable.hasPrefix("ADSP_LIBRARY_PATH") || variable == "DSP_LIBRARY_PATH")
            && delimiter == ";"
    }
}
