/// A struct of `misc/fastrpc.h` by its C names, with the layout that Swift computes for it.
///
/// For the tests that compare this module with the system's header and with `references/fastrpc-uapi.json`.
package struct KernelStructure: Sendable {
    /// A field; the compiler's padding is none.
    package struct Field: Hashable, Sendable {
        package var name: String
        package var offset: Int
        package var byteCount: Int

        package init(name: String, offset: Int, byteCount: Int) {
            self.name = name
            self.offset = offset
            self.byteCount = byteCount
        }
    }

    package var name: String
    package var byteCount: Int
    package var alignment: Int
    package var fields: [Field]

    private init<Root>(_ name: String, _ root: Root.Type, _ fields: [Field?]) {
        self.name = name
        byteCount = MemoryLayout<Root>.size
        alignment = MemoryLayout<Root>.alignment
        self.fields = fields.compactMap(\.self)
    }

    private static func field<Root, Value>(_ name: String, _ path: KeyPath<Root, Value>) -> Field? {
        MemoryLayout<Root>.offset(of: path).map {
            Field(name: name, offset: $0, byteCount: MemoryLayout<Value>.size)
        }
    }

    /// All of them.
    package static let all = [
        KernelStructure(
            "fastrpc_invoke_args", InvokeArgument.self,
            [
                field("ptr", \InvokeArgument.address), field("length", \InvokeArgument.length),
                field("fd", \InvokeArgument.fd), field("attr", \InvokeArgument.attributes),
            ]),
        KernelStructure(
            "fastrpc_invoke", InvokeCall.self,
            [
                field("handle", \InvokeCall.handle), field("sc", \InvokeCall.scalars),
                field("args", \InvokeCall.arguments),
            ]),
        KernelStructure(
            "fastrpc_init_create", CreateProcessArgument.self,
            [
                field("filelen", \CreateProcessArgument.fileByteCount),
                field("filefd", \CreateProcessArgument.fileDescriptor),
                field("attrs", \CreateProcessArgument.attributes),
                field("siglen", \CreateProcessArgument.signatureByteCount),
                field("file", \CreateProcessArgument.file),
            ]),
        KernelStructure(
            "fastrpc_init_create_static", CreateStaticProcessArgument.self,
            [
                field("namelen", \CreateStaticProcessArgument.nameByteCount),
                field("memlen", \CreateStaticProcessArgument.memoryByteCount),
                field("name", \CreateStaticProcessArgument.name),
            ]),
        KernelStructure(
            "fastrpc_alloc_dma_buf", AllocateArgument.self,
            [
                field("fd", \AllocateArgument.descriptor), field("flags", \AllocateArgument.flags),
                field("size", \AllocateArgument.byteCount),
            ]),
        KernelStructure(
            "fastrpc_req_mmap", AddPagesArgument.self,
            [
                field("fd", \AddPagesArgument.descriptor), field("flags", \AddPagesArgument.flags),
                field("vaddrin", \AddPagesArgument.hostAddress), field("size", \AddPagesArgument.byteCount),
                field("vaddrout", \AddPagesArgument.dspAddress),
            ]),
        KernelStructure(
            "fastrpc_req_munmap", RemovePagesArgument.self,
            [
                field("vaddrout", \RemovePagesArgument.dspAddress),
                field("size", \RemovePagesArgument.byteCount),
            ]),
        KernelStructure(
            "fastrpc_mem_map", MapMemoryArgument.self,
            [
                field("version", \MapMemoryArgument.version), field("fd", \MapMemoryArgument.descriptor),
                field("offset", \MapMemoryArgument.offset), field("flags", \MapMemoryArgument.flags),
                field("vaddrin", \MapMemoryArgument.hostAddress),
                field("length", \MapMemoryArgument.byteCount),
                field("vaddrout", \MapMemoryArgument.dspAddress),
                field("attrs", \MapMemoryArgument.attributes), field("reserved", \MapMemoryArgument.reserved),
            ]),
        KernelStructure(
            "fastrpc_mem_unmap", UnmapMemoryArgument.self,
            [
                field("vesion", \UnmapMemoryArgument.version), field("fd", \UnmapMemoryArgument.descriptor),
                field("vaddr", \UnmapMemoryArgument.dspAddress),
                field("length", \UnmapMemoryArgument.byteCount),
                field("reserved", \UnmapMemoryArgument.reserved),
            ]),
        KernelStructure(
            "fastrpc_ioctl_set_option", SetOptionArgument.self,
            [
                field("request_id", \SetOptionArgument.option), field("value", \SetOptionArgument.value),
                field("reserved", \SetOptionArgument.reserved),
            ]),
        KernelStructure(
            "fastrpc_ioctl_capability", CapabilityArgument.self,
            [
                field("domain", \CapabilityArgument.domain),
                field("attribute_id", \CapabilityArgument.attribute),
                field("capability", \CapabilityArgument.value),
                field("reserved", \CapabilityArgument.reserved),
            ]),
    ]
}

/// The constants of the module by their C names, in groups.
package enum KernelConstants {
    /// `enum fastrpc_map_flags`, without its count, which grows with the header.
    package static let mapFlags: [(name: String, value: UInt32)] = [
        ("FASTRPC_MAP_STATIC", MapFlag.static.rawValue), ("FASTRPC_MAP_RESERVED", MapFlag.reserved.rawValue),
        ("FASTRPC_MAP_FD", MapFlag.descriptor.rawValue),
        ("FASTRPC_MAP_FD_DELAYED", MapFlag.delayed.rawValue),
        ("FASTRPC_MAP_FD_NOMAP", MapFlag.noHostMapping.rawValue),
    ]
    /// `enum fastrpc_proc_attr`
    package static let processAttributes: [(name: String, value: UInt32)] = [
        ("FASTRPC_MODE_DEBUG", ProcessAttributes.debug.rawValue),
        ("FASTRPC_MODE_PTRACE", ProcessAttributes.trace.rawValue),
        ("FASTRPC_MODE_CRC", ProcessAttributes.checksum.rawValue),
        ("FASTRPC_MODE_UNSIGNED_MODULE", ProcessAttributes.unsignedModule.rawValue),
        ("FASTRPC_MODE_ADAPTIVE_QOS", ProcessAttributes.adaptiveQoS.rawValue),
        ("FASTRPC_MODE_SYSTEM_PROCESS", ProcessAttributes.systemProcess.rawValue),
        ("FASTRPC_MODE_PRIVILEGED", ProcessAttributes.privileged.rawValue),
    ]
    /// What the header has as macros.
    package static let macros: [(name: String, value: UInt32)] = [
        ("FASTRPC_ATTR_SECUREMAP", InvokeArgument.Attributes.secureMap.rawValue),
        ("FASTRPC_POLL_MODE", DeviceOption.pollMode.rawValue),
    ]
    /// What the driver defines for itself, in no header.
    package static let driver: [(name: String, value: UInt32)] = [
        ("ADSP_MMAP_ADD_PAGES", PageUse.heap.rawValue),
        ("ADSP_MMAP_REMOTE_HEAP_ADDR", PageUse.remoteHeap.rawValue),
        ("INIT_FILELEN_MAX", UInt32(FastRPCDevice.shellByteLimit)),
        ("INIT_FILE_NAMELEN_MAX", UInt32(FastRPCDevice.staticNameByteLimit)),
    ]
    /// What user space and firmware agree on; the names are libcdsprpc's.
    package static let attributes: [(name: String, value: UInt32)] = [
        ("DOMAIN_SUPPORT", DSPAttribute.domainSupport.rawValue),
        ("UNSIGNED_PD_SUPPORT", DSPAttribute.unsignedProcessSupport.rawValue),
        ("HVX_SUPPORT_64B", DSPAttribute.hvx64.rawValue), ("HVX_SUPPORT_128B", DSPAttribute.hvx128.rawValue),
        ("VTCM_PAGE", DSPAttribute.vtcmPage.rawValue), ("VTCM_COUNT", DSPAttribute.vtcmCount.rawValue),
        ("ARCH_VER", DSPAttribute.architectureVersion.rawValue),
        ("HMX_SUPPORT_DEPTH", DSPAttribute.hmxDepth.rawValue),
        ("HMX_SUPPORT_SPATIAL", DSPAttribute.hmxSpatial.rawValue),
        ("ASYNC_FASTRPC_SUPPORT", DSPAttribute.asynchronousCalls.rawValue),
        ("STATUS_NOTIFICATION_SUPPORT", DSPAttribute.statusNotification.rawValue),
        ("MCID_MULTICAST", DSPAttribute.multicast.rawValue),
    ]

    /// All of them.
    package static var all: [(name: String, value: UInt32)] {
        mapFlags + processAttributes + macros + driver + attributes
    }
}
