import RemoteCalls
import SystemInterfaces

/// What the host serves to the DSP, opened by name when it is needed first.
final class HostServices: Sendable {
    let caller: ReverseCaller
    private let handles = Monitor<[String: UInt32]>([:])

    init(_ caller: ReverseCaller) {
        self.caller = caller
    }

    /// `apps_remotectl.open`
    func handle(_ name: String) throws(RemoteCallError) -> UInt32 {
        if let handle = handles.withLock({ $0[name] }) { return handle }
        let text = Self.text(name)
        let open = AppsRemotectlMethod.open
        let out = try caller.call(
            AppsRemotectlMethod.handle, open.scalars, [Self.words([UInt32(text.count), 256]), text],
            [open.shape.returned, 256])
        let (handle, error) = (Self.word(out[0], 0), Self.word(out[0], 4))
        guard error == 0 else {
            throw RemoteCallError(AEEResult(rawValue: error), operation: "opening \(name) of the host")
        }
        handles.withLock { $0[name] = handle }
        return handle
    }

    /// A file of the search path, read to its end; nil where there is none.
    func file(_ name: String) throws(RemoteCallError) -> [UInt8]? {
        let files = try handle(AppsStdMethod.interface)
        let texts = ["ADSP_LIBRARY_PATH", ";", name, "rb"].map(Self.text)
        let open = AppsStdMethod.fopenWithEnv
        let file: UInt32
        do throws(RemoteCallError) {
            file = Self.word(
                try caller.call(
                    files, open.scalars, [Self.words(texts.map { UInt32($0.count) })] + texts,
                    [open.shape.returned])[0], 0)
        } catch {
            if caller.isEnded || error.result == .unableToLoad { throw error }
            return nil
        }
        defer {
            _ = try? caller.call(files, AppsStdMethod.fclose.scalars, [Self.words([file])])
        }
        return try read(file, of: files)
    }

    /// Bytes that `fread` is asked for at once.
    private static let pieceByteCount = 128 << 10
    /// No library of a DSP is larger.
    private static let maximumFile = 256 << 20

    /// Reads to the end. The length is not asked for (`flen`): a listener that serves little more than reading,
    /// as hexagonrpc's, gives up at what it does not know.
    private func read(_ file: UInt32, of files: UInt32) throws(RemoteCallError) -> [UInt8] {
        let fread = AppsStdMethod.fread
        var bytes: [UInt8] = []
        while true {
            let out = try caller.call(
                files, fread.scalars, [Self.words([file, UInt32(Self.pieceByteCount)])],
                [fread.shape.returned, Self.pieceByteCount])
            let count = Int(Int32(bitPattern: Self.word(out[0], 0)))
            guard count >= 0, count <= Self.pieceByteCount else {
                throw RemoteCallError(.badELF, operation: "\(count) bytes read at \(bytes.count)")
            }
            bytes += out[1][..<count]
            if count == 0 || Self.word(out[0], 4) != 0 { return bytes }
            guard bytes.count <= Self.maximumFile else {
                throw RemoteCallError(
                    .badELF, operation: "reading a library of over \(Self.maximumFile) bytes")
            }
        }
    }

    /// `apps_mem.request_map64`: asks for pages for the heap.
    func growHeap(_ byteCount: Int) throws(RemoteCallError) {
        var words = WireWriter()
        words.append(Int32(-1))  // heap
        words.append(UInt32(0))
        words.append(UInt32(0x1000))  // ADSP_MMAP_ADD_PAGES
        words.append(UInt64(0))
        words.append(Int64(byteCount))
        let map = AppsMemMethod.requestMap64
        _ = try caller.call(
            try handle(AppsMemMethod.interface), map.scalars, [words.bytes], [map.shape.returned])
    }

    /// `adspmsgd_apps.log`
    func log(_ text: String) throws(RemoteCallError) {
        let text = Self.text(text)
        _ = try caller.call(
            try handle(ADSPMsgdAppsMethod.interface), ADSPMsgdAppsMethod.log.scalars,
            [Self.words([UInt32(text.count)]), text])
    }

    static func text(_ string: String) -> [UInt8] { Array(string.utf8) + [0] }

    static func words(_ values: [UInt32]) -> [UInt8] {
        var out = WireWriter()
        for value in values { out.append(value) }
        return out.bytes
    }

    static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
