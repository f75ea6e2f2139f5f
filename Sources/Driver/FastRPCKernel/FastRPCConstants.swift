/// How a process on the DSP is created: `enum fastrpc_proc_attr`.
///
/// The kernel looks at ``unsignedModule`` only and hands all bits on to the DSP, where higher ones have
/// meanings of their own.
public struct ProcessAttributes: OptionSet, Hashable, Sendable {
    /// The bits.
    public var rawValue: UInt32

    /// Wraps bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `FASTRPC_MODE_DEBUG`
    public static let debug = ProcessAttributes(rawValue: 1)
    /// `FASTRPC_MODE_PTRACE`
    public static let trace = ProcessAttributes(rawValue: 2)
    /// `FASTRPC_MODE_CRC`: buffers are checked with a CRC.
    public static let checksum = ProcessAttributes(rawValue: 4)
    /// `FASTRPC_MODE_UNSIGNED_MODULE`: code without a signature may be loaded. The only kind of process that
    /// the plain node of a secure DSP allows.
    public static let unsignedModule = ProcessAttributes(rawValue: 8)
    /// `FASTRPC_MODE_ADAPTIVE_QOS`
    public static let adaptiveQoS = ProcessAttributes(rawValue: 0x10)
    /// `FASTRPC_MODE_SYSTEM_PROCESS`
    public static let systemProcess = ProcessAttributes(rawValue: 0x20)
    /// `FASTRPC_MODE_PRIVILEGED`
    public static let privileged = ProcessAttributes(rawValue: 0x40)
}

/// How a dma-buf is mapped on the DSP: `enum fastrpc_map_flags`. A number, not a set of bits.
public struct MapFlag: RawRepresentable, Hashable, Sendable {
    /// The number.
    public var rawValue: UInt32

    /// Wraps a number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `FASTRPC_MAP_STATIC`: the driver keeps caches right when the buffer is passed to calls.
    public static let `static` = MapFlag(rawValue: 0)
    /// `FASTRPC_MAP_RESERVED`
    public static let reserved = MapFlag(rawValue: 1)
    /// `FASTRPC_MAP_FD`: known to the DSP by its descriptor; caches are the callers' affair on both sides.
    public static let descriptor = MapFlag(rawValue: 2)
    /// `FASTRPC_MAP_FD_DELAYED`: mapped when code on the DSP asks for it, with the cache mode it asks for.
    public static let delayed = MapFlag(rawValue: 3)
    /// `FASTRPC_MAP_FD_NOMAP`: like ``delayed``, without a mapping on the host.
    public static let noHostMapping = MapFlag(rawValue: 16)
}

/// What pages are added to a process on the DSP for. A number, not a set of bits; defined by the driver, in no
/// header.
public struct PageUse: RawRepresentable, Hashable, Sendable {
    /// The number.
    public var rawValue: UInt32

    /// Wraps a number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `ADSP_MMAP_ADD_PAGES`: the heap of a user process.
    public static let heap = PageUse(rawValue: 0x1000)
    /// `ADSP_MMAP_REMOTE_HEAP_ADDR`: the heap of a static process; kernels from about 6.2.
    public static let remoteHeap = PageUse(rawValue: 8)
}

/// A setting of an open node: `request_id` of `struct fastrpc_ioctl_set_option`.
public struct DeviceOption: RawRepresentable, Hashable, Sendable {
    /// The number.
    public var rawValue: UInt32

    /// Wraps a number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `FASTRPC_POLL_MODE`: with value 1, calls of the user process's own modules wait by polling memory for
    /// up to 10 ms before they sleep.
    public static let pollMode = DeviceOption(rawValue: 1)
}

/// What a DSP can be asked about itself. The names are those of `qualcomm/fastrpc`, `inc/remote.h`.
public struct DSPAttribute: RawRepresentable, Hashable, Sendable {
    /// The attribute's id.
    public var rawValue: UInt32

    /// Wraps an id.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `DOMAIN_SUPPORT`: answered in user space only; the kernel's answer is always 0.
    public static let domainSupport = DSPAttribute(rawValue: 0)
    /// `UNSIGNED_PD_SUPPORT`: 0 or 1. Some firmware says 0 and accepts unsigned processes all the same.
    public static let unsignedProcessSupport = DSPAttribute(rawValue: 1)
    /// `HVX_SUPPORT_64B`: how many contexts with vectors of 64 bytes.
    public static let hvx64 = DSPAttribute(rawValue: 2)
    /// `HVX_SUPPORT_128B`: how many contexts with vectors of 128 bytes.
    public static let hvx128 = DSPAttribute(rawValue: 3)
    /// `VTCM_PAGE`: the largest page of tightly coupled memory, in bytes.
    public static let vtcmPage = DSPAttribute(rawValue: 4)
    /// `VTCM_COUNT`: how many such pages.
    public static let vtcmCount = DSPAttribute(rawValue: 5)
    /// `ARCH_VER`: the low byte is the architecture's version in hexadecimal, `0x73` for v73.
    public static let architectureVersion = DSPAttribute(rawValue: 6)
    /// `HMX_SUPPORT_DEPTH`
    public static let hmxDepth = DSPAttribute(rawValue: 7)
    /// `HMX_SUPPORT_SPATIAL`
    public static let hmxSpatial = DSPAttribute(rawValue: 8)
    /// `ASYNC_FASTRPC_SUPPORT`
    public static let asynchronousCalls = DSPAttribute(rawValue: 9)
    /// `STATUS_NOTIFICATION_SUPPORT`: 3 means version 2.
    public static let statusNotification = DSPAttribute(rawValue: 10)
    /// `MCID_MULTICAST`
    public static let multicast = DSPAttribute(rawValue: 11)
}
