import Glibc
import RemoteCalls

/// `apps_std`: the files that the DSP reads, such as its skel libraries.
///
/// Reads files below the folders of a search path and from a table in memory, nothing else; writes nothing.
/// Links are followed as long as they stay below their folder. Errors are plain `errno` values.
public final class FileService: ReverseService {
    /// `apps_std`
    public let name = "apps_std"
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

    /// All 37 methods in order; sizes as in the tables of `references/reverse-tunnel.md`.
    private static let methods = [
        MethodShape(3, 1, sent: 8, returned: 4),  // fopen
        MethodShape(3, 1, sent: 12, returned: 4),  // freopen
        MethodShape(1, 0, sent: 4),  // fflush
        MethodShape(1, 0, sent: 4),  // fclose
        MethodShape(1, 2, sent: 8, returned: 8),  // fread
        MethodShape(2, 1, sent: 8, returned: 8),  // fwrite
        MethodShape(1, 2, sent: 8, returned: 4),  // fgetpos
        MethodShape(2, 0, sent: 8),  // fsetpos
        MethodShape(1, 1, sent: 4, returned: 4),  // ftell
        MethodShape(1, 0, sent: 12),  // fseek
        MethodShape(1, 1, sent: 4, returned: 8),  // flen
        MethodShape(1, 0, sent: 4),  // rewind
        MethodShape(1, 1, sent: 4, returned: 4),  // feof
        MethodShape(1, 1, sent: 4, returned: 4),  // ferror
        MethodShape(1, 0, sent: 4),  // clearerr
        MethodShape(2, 0, sent: 4),  // print_string
        MethodShape(2, 2, sent: 8, returned: 4),  // getenv
        MethodShape(3, 0, sent: 12),  // setenv
        MethodShape(2, 0, sent: 4),  // unsetenv
        MethodShape(5, 1, sent: 16, returned: 4),  // fopen_with_env
        MethodShape(1, 2, sent: 8, returned: 4),  // fgets
        MethodShape(4, nil, sent: 12, returned: 6),  // get_search_paths_with_env
        MethodShape(2, 1, sent: 4, returned: 1),  // fileExists
        MethodShape(1, 0, sent: 4),  // fsync
        MethodShape(2, 0, sent: 4),  // fremove
        MethodShape(1, 1, sent: 4, returned: 4),  // fdopen_decrypt
        MethodShape(2, 1, sent: 4, returned: 8),  // opendir
        MethodShape(1, 0, sent: 8),  // closedir
        MethodShape(1, 1, sent: 8, returned: 264),  // readdir
        MethodShape(2, 0, sent: 8),  // mkdir
        MethodShape(2, 0, sent: 4),  // rmdir
        MethodShape(2, 1, sent: 8, returned: 96),  // stat
        MethodShape(1, 0, sent: 12),  // ftrunc
        MethodShape(3, 0, sent: 12),  // frename
        MethodShape(3, 1, sent: 12, returned: 8),  // fopen_fd
        MethodShape(1, 0, sent: 8),  // fclose_fd
        MethodShape(5, 1, sent: 20, returned: 8),  // fopen_with_env_fd
    ]

    /// Serves a call. `AEE_EBADPARM` where it does not fit the interface, `AEE_EUNSUPPORTED` for methods
    /// that write or change the host's environment, and for those that hand out descriptors where there is no
    /// memory for that.
    public func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        var call = try MethodShape.unpack(scalars, arguments, Self.methods)
        var reply = WireWriter()
        switch call.method {
        case 0: try open(&call, &reply)
        case 2, 11, 14: try change(&call)
        case 3: try close(&call)
        case 4: try read(&call, &reply)
        case 6: try getPosition(&call, &reply)
        case 7: try setPosition(&call)
        case 8: try tell(&call, &reply)
        case 9: try seek(&call)
        case 10: reply.append(UInt64(try file(try call.read()).length))
        case 12: reply.append(Int32(try file(try call.read()).isAtEnd ? 1 : 0))
        case 13: reply.append(Int32(try file(try call.read()).hasFailed ? 1 : 0))
        case 15: log(try call.readString())
        case 16: try getEnvironment(&call, &reply)
        case 19: try openWithEnvironment(&call, &reply)
        case 20: try readLine(&call, &reply)
        case 21: return try getSearchPaths(&call, scalars, arguments)
        case 22: try fileExists(&call, &reply)
        case 26: try openFolder(&call, &reply)
        case 27: try closeFolder(&call)
        case 28: try readFolder(&call, &reply)
        case 31: try status(&call, &reply)
        case 34...36 where shared == nil:
            throw RemoteCallError(.unsupported, operation: "apps_std method \(call.method)")
        case 34: try openShared(&call, &reply)
        case 35: try closeShared(&call)
        case 36: try openSharedWithEnvironment(&call, &reply)
        default: throw RemoteCallError(.unsupported, operation: "apps_std method \(call.method)")
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
