import Glibc

// The C functions of libcdsprpc, by the types that `qualcomm/fastrpc` gives them in inc/remote.h,
// inc/rpcmem.h and inc/dspqueue.h. A list of `remote_arg` travels as an untyped pointer: this floor does
// not look into calls. `remote_handle64` is a 64-bit word, `remote_handle` a 32-bit one.

typealias Handle64Open = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<UInt64>) -> CInt
typealias Handle64Invoke = @convention(c) (UInt64, UInt32, UnsafeMutableRawPointer?) -> CInt
typealias Handle64Close = @convention(c) (UInt64) -> CInt
typealias Handle64Control = @convention(c) (UInt64, UInt32, UnsafeMutableRawPointer?, UInt32) -> CInt
typealias Control = @convention(c) (UInt32, UnsafeMutableRawPointer?, UInt32) -> CInt
typealias SystemRequest = @convention(c) (UnsafeMutableRawPointer?) -> CInt
typealias MemoryMap = @convention(c) (CInt, CInt, UnsafeMutableRawPointer?, CInt, Int, UInt32) -> CInt
typealias MemoryUnmap = @convention(c) (CInt, CInt, UnsafeMutableRawPointer?, Int) -> CInt
typealias MemoryAllocate = @convention(c) (CInt, UInt32, CInt) -> UnsafeMutableRawPointer?
typealias MemoryAllocate2 = @convention(c) (CInt, UInt32, Int) -> UnsafeMutableRawPointer?
typealias MemoryFree = @convention(c) (UnsafeMutableRawPointer) -> Void
typealias MemoryDescriptor = @convention(c) (UnsafeMutableRawPointer) -> CInt
typealias MemoryLifecycle = @convention(c) () -> Void
typealias RegisterBuffer = @convention(c) (UnsafeMutableRawPointer?, CInt, CInt) -> Void
typealias RegisterBuffer2 = @convention(c) (UnsafeMutableRawPointer?, Int, CInt, CInt) -> Void
typealias RegisterDMAHandle = @convention(c) (CInt, UInt32) -> CInt
typealias RegisterDMAHandle2 = @convention(c) (CInt, UInt32, UInt32) -> CInt

/// The functions without which there is no calling a DSP.
struct RequiredSymbols: Sendable {
    let open: Handle64Open
    let invoke: Handle64Invoke
    let close: Handle64Close
    let control: Handle64Control
    let sessionControl: Control
    let allocate: MemoryAllocate
    let free: MemoryFree
    let descriptor: MemoryDescriptor
    let map: MemoryMap
    let unmap: MemoryUnmap

    /// Finds them all; nil when any is missing, which the loader then knows by name.
    init?(_ loader: inout SymbolLoader) {
        let open = loader.required("remote_handle64_open", as: Handle64Open.self)
        let invoke = loader.required("remote_handle64_invoke", as: Handle64Invoke.self)
        let close = loader.required("remote_handle64_close", as: Handle64Close.self)
        let control = loader.required("remote_handle64_control", as: Handle64Control.self)
        let sessionControl = loader.required("remote_session_control", as: Control.self)
        let allocate = loader.required("rpcmem_alloc", as: MemoryAllocate.self)
        let free = loader.required("rpcmem_free", as: MemoryFree.self)
        let descriptor = loader.required("rpcmem_to_fd", as: MemoryDescriptor.self)
        let map = loader.required("fastrpc_mmap", as: MemoryMap.self)
        let unmap = loader.required("fastrpc_munmap", as: MemoryUnmap.self)
        guard let open, let invoke, let close, let control, let sessionControl, let allocate, let free,
            let descriptor, let map, let unmap
        else { return nil }
        self.open = open
        self.invoke = invoke
        self.close = close
        self.control = control
        self.sessionControl = sessionControl
        self.allocate = allocate
        self.free = free
        self.descriptor = descriptor
        self.map = map
        self.unmap = unmap
    }
}

/// The functions that some libraries lack: older ones, or those of another system.
struct OptionalSymbols: Sendable {
    let allocate2: MemoryAllocate2?
    let initialize: MemoryLifecycle?
    let deinitialize: MemoryLifecycle?
    let control: Control?
    let systemRequest: SystemRequest?
    let registerBuffer: RegisterBuffer?
    let registerBuffer2: RegisterBuffer2?
    let registerDMAHandle: RegisterDMAHandle?
    let registerDMAHandle2: RegisterDMAHandle2?
    let queue: DSPQueueFunctions?

    init(_ loader: inout SymbolLoader) {
        allocate2 = loader.optional("rpcmem_alloc2", as: MemoryAllocate2.self)
        initialize = loader.optional("rpcmem_init", as: MemoryLifecycle.self)
        deinitialize = loader.optional("rpcmem_deinit", as: MemoryLifecycle.self)
        control = loader.optional("remote_handle_control", as: Control.self)
        systemRequest = loader.optional("remote_system_request", as: SystemRequest.self)
        registerBuffer = loader.optional("remote_register_buf", as: RegisterBuffer.self)
        registerBuffer2 = loader.optional("remote_register_buf_attr2", as: RegisterBuffer2.self)
        registerDMAHandle = loader.optional("remote_register_dma_handle", as: RegisterDMAHandle.self)
        registerDMAHandle2 = loader.optional("remote_register_dma_handle_attr", as: RegisterDMAHandle2.self)
        queue = DSPQueueFunctions(&loader)
    }
}

/// Looks functions up and remembers which ones are not there.
struct SymbolLoader {
    private let lookUp: (String) -> UnsafeMutableRawPointer?
    private(set) var missingRequired: [String] = []
    private(set) var missingOptional: [String] = []
    private(set) var requested: (required: [String], optional: [String]) = ([], [])

    /// Looks up in a library that the dynamic loader has loaded.
    init(library: UnsafeMutableRawPointer) {
        lookUp = { dlsym(library, $0) }
    }

    /// Finds nothing: leaves only the lists of what was asked for.
    init() {
        lookUp = { _ in nil }
    }

    mutating func required<Function>(_ name: String, as: Function.Type) -> Function? {
        requested.required.append(name)
        guard let address = lookUp(name) else {
            missingRequired.append(name)
            return nil
        }
        return unsafeBitCast(address, to: Function.self)
    }

    mutating func optional<Function>(_ name: String, as: Function.Type) -> Function? {
        requested.optional.append(name)
        guard let address = lookUp(name) else {
            missingOptional.append(name)
            return nil
        }
        return unsafeBitCast(address, to: Function.self)
    }
}
