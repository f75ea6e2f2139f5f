import Glibc
import RemoteCalls
import SharedMemory

/// The program that becomes a process on a DSP.
struct Shell {
    let path: String
    private let bytes: [UInt8]

    /// Finds and reads the shell.
    init(
        _ options: KernelTransport.Options, _ configuration: SessionConfiguration
    ) throws(RemoteCallError) {
        let domain = configuration.domain
        let operation = "begin a session on \(domain)"
        if let explicit = options.shellPath {
            path = explicit
        } else {
            let search = ShellSearch(
                domain: domain.name, number: Int(domain.rawValue),
                unsignedModules: configuration.unsignedModules, files: options.files,
                environment: options.environment)
            guard let found = search.find() else {
                let evidence = search.boards.evidence.map { "\($0); " }.joined()
                throw RemoteCallError(
                    .noSuchFile,
                    operation: "\(operation): no \(search.names[0]) in "
                        + (search.folders + ["/vendor/dsp"]).joined(separator: ", "),
                    advice: evidence
                        + "install the DSP files of this board (hexagon-dsp-binaries), or name the shell with "
                        + "the transport's shellPath; DSP_LIBRARY_PATH has no say in this search")
            }
            path = found
        }
        let files = options.shellPath == nil ? options.files : HostFiles()
        errno = 0
        guard let bytes = files.bytes(path, limit: FastRPCDevice.shellByteLimit + 1) else {
            let code = errno
            throw RemoteCallError(
                code == 0 ? .noSuchFile : AEEResult(errno: code),
                operation: "\(operation): read the shell \(path): "
                    + (code == 0 ? "not a regular file" : "\(SystemError(code))"),
                advice: "the shell must be a file that this user may read")
        }
        guard !bytes.isEmpty, bytes.count <= FastRPCDevice.shellByteLimit else {
            throw RemoteCallError(
                .badParameter,
                operation: "\(operation): the shell \(path) "
                    + (bytes.isEmpty ? "is empty" : "has more than 2 MiB"),
                advice: "it is no DSP shell: install the one of this board (hexagon-dsp-binaries)")
        }
        self.bytes = bytes
    }

    /// Creates a process of it. Its shared memory is freed when this returns.
    func createProcess(
        on device: borrowing FastRPCDevice, memory: KernelMemory, options: KernelTransport.Options,
        unsignedModules: Bool
    ) throws(RemoteCallError) {
        let buffer = try memory.allocate(byteCount: bytes.count) { room in room.copyBytes(from: bytes) }
        var attributes = options.attributes
        if unsignedModules { attributes.insert(.unsignedModule) } else { attributes.remove(.unsignedModule) }
        // The kernel tells the DSP the name of the calling thread.
        let name = SystemCalls.threadName
        if let processName = options.processName { SystemCalls.threadName = processName }
        defer { SystemCalls.threadName = name }
        do throws(FastRPCKernelError) {
            try device.createProcess(shell: buffer, byteCount: bytes.count, attributes: attributes)
        } catch {
            throw RemoteCallError(error, advice: Advice.process(error, shell: path))
        }
    }
}
