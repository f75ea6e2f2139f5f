import HexagonRPC

// What `qualcomm_client --short` does, with our own driver: one session, one module, a call, a mapping. The
// traces of the two are compared.

func fail(_ what: String) -> Never { fatalError("trace-client: \(what)") }

func run() throws {
    let session = try Session(KernelTransport())
    let handle = try session.open(ModuleURI(interface: "echo"))

    let bytes = (0..<100).map { UInt8($0) }
    var copied = [UInt8](repeating: 0, count: 100)
    try bytes.withUnsafeBufferPointer { from in
        try copied.withUnsafeMutableBufferPointer { to in
            var call = RemoteCall("echo.copy", method: 6)
            try call.send(from)
            try call.receive(to)
            try call.invoke(on: handle)
        }
    }
    guard copied == bytes else { fail("the bytes came back changed") }

    let buffer = try session.allocator.allocate(byteCount: 65536)
    try session.map(buffer)
    var touch = RemoteCall("echo.touch", method: 9, replySize: 8)
    touch.send(buffer.descriptor)
    touch.send(UInt32(100))
    try touch.invoke(on: handle)
    var reply = touch.reply
    guard try reply.read(UInt64.self) == 0 else { fail("the buffer was not empty") }
    try session.unmap(buffer)
    buffer.close()
    try handle.close()
    session.close()
}

try run()
