/// Why status codes come, and what to do. Collected from bug reports of `qualcomm/fastrpc`,
/// `linux-msm/hexagon-dsp-binaries`, `ggml-org/llama.cpp` and board vendors.
enum AEECauses {
    typealias Cause = ErrorCode.Cause

    /// The causes of a code as it was returned, with or without the DSP's offset.
    static func causes(of code: UInt32) -> [Cause] {
        plain[code] ?? shared[ErrorCodes.isFromDSP(code) ? code - ErrorCodes.dspOffset : code] ?? []
    }

    private static let lost = Cause(
        "the process on the DSP has died, or the whole DSP restarted",
        "the process on the DSP has ended or the DSP restarted: close the session and open it again")

    /// Codes without offset on either side.
    static let plain: [UInt32: [Cause]] = [
        39: [
            lost,
            Cause(.call, "the handle belongs to another session, or was closed", ""),
        ],
        46: [lost, Cause(.call, "the waiting thread was cancelled, as its session was closed", "")],
        104: [lost],
        516: [
            Cause(
                "a message queue is full (when writing) or empty (when reading)",
                "this is normal: wait for the callback, or use the function that blocks")
        ],
    ]

    private static let refusedShell = Cause(
        .createProcess, "the DSP refuses the shell: its build differs from the firmware's",
        "the DSP refuses the shell: {shell} and the DSP's firmware are of different builds, or the DSP has "
            + "no room for another process; install shell and firmware of the same release (the "
            + "QC_IMAGE_VERSION_STRING in both must agree, fastrpc-probe compares them)")

    private static let wrongInterface = Cause(
        .call, "the program was built with another version of the interface than the module",
        "generate stub and skel from the same IDL file and rebuild both")

    private static let unsignedOnSigned = Cause(
        .openModule, "an unsigned module in a session for signed ones",
        "ask for unsigned modules before the session is opened (DSPRPC_CONTROL_UNSIGNED_MODULE)")

    /// Codes with and without the DSP's offset.
    static let shared: [UInt32: [Cause]] = [
        0x01: [
            Cause(
                .map, "the kernel or the DSP refuses a mapping",
                "the session's address space may be full (about 3.5 GB), or no module is open yet")
        ],
        0x02: [
            Cause(
                .map, "the address space of the process on the DSP is full, or its memory",
                "the session's address space may be full (about 3.5 GB): unmap buffers, or spread the work over "
                    + "more sessions"),
            Cause(
                .createProcess, "the DSP has no memory for another process",
                "the DSP has no memory for another process: end other programs that use it"),
            Cause(
                "the heap or the address space of the process on the DSP is exhausted",
                "the process on the DSP has no memory left: unmap buffers, spread the work over more sessions, or "
                    + "close other programs that use the DSP"),
        ],
        0x05: [
            Cause(
                .library, "unsigned modules were asked for after the session was opened",
                "ask for unsigned modules first, then open the module")
        ],
        0x06: [
            Cause(
                .openModule, "the DSP does not find the module: its folder is not on the search path",
                "set DSP_LIBRARY_PATH to the absolute folder of the module; several folders are separated by "
                    + "';', not ':'"),
            Cause(
                .openModule, "a library that the module needs (often libc++.so.1) is missing",
                "put that library, from the board's DSP package, beside the module"),
            Cause(
                .openModule, "the module was built for a newer Hexagon version than this DSP has",
                "rebuild the module with -mv and the version that fastrpc-probe shows"),
            unsignedOnSigned,
        ],
        0x0c: [
            Cause(
                "the DSP hangs, or works longer than the time limit",
                "try again; if that stays so, restart the DSP or the board")
        ],
        0x0d: [lost],
        0x0e: [
            Cause(
                .openModule, "the URI lacks &_dom=cdsp, or names a session above 3",
                "append &_dom=cdsp to the URI"),
            wrongInterface,
            Cause(
                .call, "a buffer lies in a shared buffer only partly",
                "pass a range inside one shared buffer, or one outside all of them"),
        ],
        0x14: [
            Cause(
                "the firmware or the library does not know this request",
                "this firmware does not know the request")
        ],
        0x16: [
            refusedShell,
            Cause(
                .library, "no shell was sent, since none is installed",
                "install the DSP files of this board (hexagon-dsp-binaries)"),
        ],
        0x1a: [Cause(.map, "the buffer is mapped already", "a buffer is mapped once in a session")],
        0x1d: [
            Cause(
                "old firmware answers so when a module is closed that was not opened",
                "look at the first error")
        ],
        0x2c: [
            Cause(.call, "the handle or its session was closed", "the session or the handle has been closed")
        ],
        0x38: [unsignedOnSigned],
        0x3b: [
            Cause(
                .library, "the device node could not be opened",
                "run fastrpc-probe: it tells a missing node from a missing permission")
        ],
        0x3e: [
            Cause(
                "old firmware lacks the newer interface of the listener",
                "use a library that falls back to handle 3, as HexagonRPC's kernel transport does")
        ],
        0x42: [
            Cause(
                .openModule, "the module has no function of the name after the '?' of the URI",
                "the module has no function of the name after the ? in the URI: correct the URI, or export "
                    + "<interface>_skel_handle_invoke from the module")
        ],
        0x43: [
            Cause(
                .openNode, "the node or its driver is gone, or was never there",
                "load the module fastrpc (sudo modprobe fastrpc) and see that the DSP runs: cat "
                    + "/sys/class/remoteproc/*/state")
        ],
        0x45: [
            Cause(
                .createProcess, "no shell for this board is installed",
                "install the DSP files of this board (hexagon-dsp-binaries)")
        ],
        0x48: [
            Cause(
                .call, "a buffer is used that is not mapped in this session",
                "map the buffer in every session that uses it")
        ],
        0x4b: [Cause(.library, "no session is open on this DSP", "open a module first")],
        0x4e: [
            Cause(
                .openNode, "this user is not in the group that owns the device node",
                "join the group that owns the node (ls -l /dev/fastrpc-*), then log in again")
        ],
        0x52: [
            Cause(
                .openModule, "the file is cut off, or built for another processor",
                "readelf -h FILE  # must say QUALCOMM DSP6 Processor; build or copy it again")
        ],
        0x68: [
            Cause(
                .allocate, "/dev/dma_heap/system is missing or may not be opened",
                "allow this user to open /dev/dma_heap/system (fastrpc-probe prints the udev rule)")
        ],
        0x6b: [Cause(.library, "a call before the library was initialised", "open a module first")],
        0x6c: [Cause(.library, "this platform does not have the request", "do without it")],
        0x72: connectionRefused,
        0x81: [unsignedOnSigned], 0x82: [unsignedOnSigned],
        0x8a: [
            Cause(
                .openNode, "every session of the DSP is in use",
                "end other programs that use the DSP; sudo fuser -v /dev/fastrpc-* lists them")
        ],
        0x14b: [
            Cause(
                "the process on the DSP has too many threads", "start fewer threads, or close other sessions")
        ],
        0x14f: [refusedShell],
        0x194: [wrongInterface],
        0x200: [
            refusedShell,
            Cause(
                "the transport failed: link, firmware or testsig",
                "sudo dmesg | grep -i -e fastrpc -e remoteproc  # shows what the kernel saw"),
        ],
    ]

    /// The famous one: libcdsprpc says 0x72 for each of these.
    private static let connectionRefused = [
        Cause(
            .library, "the driver has made no device node: it is not loaded, or not in this kernel",
            "ls /dev/fastrpc-* || sudo modprobe fastrpc"),
        Cause(
            .library, "this user may not open the device node",
            "ls -l /dev/fastrpc-*  # then: sudo usermod -aG GROUP-OF-THE-NODE $USER, and log in again"),
        Cause(
            .library, "the DSP is off, or has crashed",
            "grep . /sys/class/remoteproc/*/{name,state}  # to start it: echo start | sudo tee "
                + "/sys/class/remoteproc/remoteprocN/state"),
        Cause(
            .library, "every session of the DSP is in use",
            "sudo fuser -v /dev/fastrpc-*  # and end what is listed"),
        Cause(
            .library, "a signed process was asked for on the node that takes unsigned ones only",
            "ask for unsigned modules before the session is opened (DSPRPC_CONTROL_UNSIGNED_MODULE), or get "
                + "access to the node ending in -secure"),
    ]
}
