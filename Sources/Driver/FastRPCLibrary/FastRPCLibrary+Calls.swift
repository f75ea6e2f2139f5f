/// Every status is what the C function returned: 0, or a code that the floor above can name.
extension FastRPCLibrary {
    /// `remote_handle64_open`: opens the module that `uri` names.
    public func open(uri: String, handle: inout UInt64) -> CInt {
        required.open(uri, &handle)
    }

    /// `remote_handle64_invoke`: calls a method.
    ///
    /// - Parameter arguments: the list of `remote_arg` (16 bytes each) that `scalars` counts.
    public func invoke(handle: UInt64, scalars: UInt32, arguments: UnsafeMutableRawPointer?) -> CInt {
        required.invoke(handle, scalars, arguments)
    }

    /// `remote_handle64_close`
    public func close(handle: UInt64) -> CInt {
        required.close(handle)
    }

    /// `remote_handle64_control`: a request about an open handle.
    public func control(
        handle: UInt64, request: UInt32, data: UnsafeMutableRawPointer?, byteCount: UInt32
    ) -> CInt {
        required.control(handle, request, data, byteCount)
    }

    /// `remote_session_control`: a request about a session, most of them before it is opened.
    public func sessionControl(
        request: UInt32, data: UnsafeMutableRawPointer?, byteCount: UInt32
    ) -> CInt {
        required.sessionControl(request, data, byteCount)
    }

    /// `remote_handle_control`: a request about the process's default domain; works before any open.
    public func control(
        request: UInt32, data: UnsafeMutableRawPointer?, byteCount: UInt32
    ) throws(FastRPCLibraryError) -> CInt {
        try optional(optional.control, "remote_handle_control")(request, data, byteCount)
    }

    /// `remote_system_request`: a request about the whole system; the open-source library has none.
    public func systemRequest(_ payload: UnsafeMutableRawPointer?) throws(FastRPCLibraryError) -> CInt {
        try optional(optional.systemRequest, "remote_system_request")(payload)
    }

    /// `fastrpc_mmap`: maps a shared buffer into the session of `domain`.
    ///
    /// - Parameters:
    ///   - domain: the effective domain, that is domain plus 8 times session.
    ///   - flags: a value of `enum fastrpc_map_flags`; 2 keeps the buffer mapped for the DSP to find by fd.
    public func map(
        domain: CInt, descriptor: CInt, address: UnsafeMutableRawPointer?, offset: CInt = 0, byteCount: Int,
        flags: UInt32
    ) -> CInt {
        required.map(domain, descriptor, address, offset, byteCount, flags)
    }

    /// `fastrpc_munmap`
    public func unmap(
        domain: CInt, descriptor: CInt, address: UnsafeMutableRawPointer?, byteCount: Int
    ) -> CInt {
        required.unmap(domain, descriptor, address, byteCount)
    }

    /// `remote_register_buf`: tells the library about memory that a descriptor stands for; descriptor -1
    /// takes that back. The library aborts the process when the size is then another one.
    public func registerBuffer(
        _ address: UnsafeMutableRawPointer?, byteCount: CInt, descriptor: CInt
    ) throws(FastRPCLibraryError) {
        try optional(optional.registerBuffer, "remote_register_buf")(address, byteCount, descriptor)
    }

    /// `remote_register_buf_attr2`: the same for any size, with attributes.
    public func registerBuffer(
        _ address: UnsafeMutableRawPointer?, byteCount: Int, descriptor: CInt, attributes: CInt
    ) throws(FastRPCLibraryError) {
        try optional(optional.registerBuffer2, "remote_register_buf_attr2")(
            address, byteCount, descriptor, attributes)
    }

    /// `remote_register_dma_handle`, or `remote_register_dma_handle_attr` where there are attributes: 0, or 16
    /// (`FASTRPC_ATTR_NOMAP`). Tells the library about a buffer that calls name by its descriptor.
    public func registerDMAHandle(
        descriptor: CInt, byteCount: UInt32, attributes: UInt32 = 0
    ) throws(FastRPCLibraryError) -> CInt {
        if attributes == 0, let register = optional.registerDMAHandle {
            return register(descriptor, byteCount)
        }
        return try optional(optional.registerDMAHandle2, "remote_register_dma_handle_attr")(
            descriptor, byteCount, attributes)
    }

    /// `rpcmem_init`: only Android's older libraries need it; elsewhere it forgets all allocations.
    public func initializeMemory() throws(FastRPCLibraryError) {
        try optional(optional.initialize, "rpcmem_init")()
    }

    /// `rpcmem_deinit`
    public func deinitializeMemory() throws(FastRPCLibraryError) {
        try optional(optional.deinitialize, "rpcmem_deinit")()
    }

    private func optional<Function>(
        _ function: Function?, _ name: String
    ) throws(FastRPCLibraryError) -> Function {
        guard let function else { throw .missingOptionalSymbol(name, file: file) }
        return function
    }
}
