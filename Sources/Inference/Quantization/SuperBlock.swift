/// Room for a block of 256 weights while it is written: sub-blocks in lanes, and the codes in the order of the weights.
struct SuperBlock {
    /// Weight i of eight sub-blocks.
    let values: UnsafeMutablePointer<Lanes>
    /// How much weight i of eight sub-blocks counts.
    let importance: UnsafeMutablePointer<Lanes>
    /// Code i of eight sub-blocks.
    let laneCodes: UnsafeMutablePointer<Lanes>
    /// The codes of all weights, in their order.
    let codes: UnsafeMutablePointer<UInt8>

    /// Calls `body` for each block of 256; the room is made once.
    @inline(__always)
    static func each(
        of blocks: Int, _ format: any BlockFormat.Type, from values: UnsafePointer<Float>,
        into bytes: UnsafeMutableRawPointer,
        _ body: (SuperBlock, UnsafePointer<Float>, UnsafeMutableRawPointer) -> Void
    ) {
        let lanes = UnsafeMutablePointer<Lanes>.allocate(capacity: 96)
        let codes = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        lanes.initialize(repeating: .zero, count: 96)
        codes.initialize(repeating: 0, count: 256)
        defer {
            lanes.deallocate()
            codes.deallocate()
        }
        let room = SuperBlock(values: lanes, importance: lanes + 32, laneCodes: lanes + 64, codes: codes)
        let bytesPerBlock = format.bytesPerBlock
        for block in 0..<blocks {
            body(room, values + block * 256, bytes + block * bytesPerBlock)
        }
    }

    /// Puts eight sub-blocks of `length` weights into lanes.
    @inline(__always)
    func load(_ source: UnsafePointer<Float>, length: Int) {
        for i in 0..<length {
            values[i] = Lanes(
                source[i], source[length + i], source[2 * length + i], source[3 * length + i],
                source[4 * length + i], source[5 * length + i], source[6 * length + i],
                source[7 * length + i])
        }
    }

    /// Puts codes out of lanes into their places, of eight sub-blocks that begin with weight `first`.
    @inline(__always)
    func storeCodes(length: Int, first: Int) {
        for i in 0..<length {
            let bytes = laneCodes[i].bytes
            for lane in 0..<8 { codes[first + lane * length + i] = bytes[lane] }
        }
    }

    /// What ``storeCodes(length:first:)`` wrote.
    @inline(__always)
    func codes(at i: Int, length: Int, first: Int) -> Lanes {
        var result = Lanes.zero
        for lane in 0..<8 { result[lane] = Float(codes[first + lane * length + i]) }
        return result
    }
}
