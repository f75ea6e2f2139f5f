import RemoteCalls

/// Calls to the host that no correct DSP makes: a client must refuse each, and serve the next one.
struct MalformedCalls {
    private let host: HostServices
    private var random: UInt64

    /// The same calls for the same `seed`.
    init(_ host: HostServices, seed: UInt64) {
        self.host = host
        random = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    }

    /// Sends them all. A client that answers none of them within seconds gets the next one all the same.
    consuming func send() {
        let files = (try? host.handle("apps_std")) ?? 16
        let memory = (try? host.handle("apps_mem")) ?? 17
        for (handle, scalars, bytes) in calls(files, memory) {
            guard !host.caller.isEnded else { return }
            _ = try? host.caller.send(handle, scalars, bytes, timeout: .seconds(5))
        }
    }

    private mutating func calls(_ files: UInt32, _ memory: UInt32) -> [(UInt32, UInt32, [UInt8])] {
        let open = Self.open("libhtp_skel.so")
        var calls: [(UInt32, UInt32, [UInt8])] = [
            // Nothing where lengths should be.
            (0, 0x0002_0200, []), (files, 0x1305_0100, []), (files, 0x0401_0200, [1]),
            // Handles that nobody opened, methods that no interface has, handle arguments.
            (0x7fff_fff0, 0x0401_0200, open), (.max, 0, []), (files, 0x1e00_0000, []),
            (files, 0x1f01_0100, ReverseCaller.pack([HostServices.words([4711])], [8])),
            (files, 0x0301_0011, ReverseCaller.pack([HostServices.words([1])], [])),
            // Every count at its largest.
            (files, 0xffff_ffff, open), (0, 0xffff_ffff, []),
            // Sizes that nobody can allocate, sent and wanted.
            (
                files, 0x0401_0200,
                ReverseCaller.pack([HostServices.words([100, .max])], [8, Int(UInt32.max)])
            ),
            (files, 0x0401_0200, HostServices.words([.max, 0])),
            (files, 0x1402_0200, HostServices.words([0x7fff_ffff, 0x7fff_ffff, 0, 0])),
            (memory, 0x0201_0100, ReverseCaller.pack([[UInt8](repeating: 0xff, count: 32)], [16])),
            // A shape of another method.
            (files, 0x1305_0200, open), (files, 0x1301_0100, open),
        ]
        // Names that lead out of the search path, or are none.
        for name in ["../../../etc/passwd", "/etc/passwd", "..", "", "\u{0}x", "a/../../b"] {
            calls.append((files, 0x1305_0100, Self.open(name)))
        }
        // Lengths of texts that do not lie in their buffers.
        var texts = ["ADSP_LIBRARY_PATH", ";", "x", "r"].map(HostServices.text)
        texts[2].removeLast()
        calls.append(
            (files, 0x1305_0100, ReverseCaller.pack([HostServices.words([18, 2, 4000, 2])] + texts, [4])))
        // Cut off and altered at random.
        for _ in 0..<32 {
            var bytes = Array(open.prefix(Int(next() % UInt64(open.count))))
            if !bytes.isEmpty { bytes[Int(next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: next()) }
            calls.append((files, 0x1305_0100, bytes))
        }
        for _ in 0..<32 {
            var bytes = open
            for _ in 0..<4 { bytes[Int(next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: next()) }
            let scalars = UInt32(truncatingIfNeeded: next())
            // Nothing that closes an interface which the loader will need.
            calls.append((files, scalars & 0x1f07_0707, bytes))
        }
        return calls
    }

    private static func open(_ name: String) -> [UInt8] {
        let texts = ["ADSP_LIBRARY_PATH", ";", name, "r"].map(HostServices.text)
        return ReverseCaller.pack([HostServices.words(texts.map { UInt32($0.count) })] + texts, [4])
    }

    private mutating func next() -> UInt64 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return random >> 11
    }
}
