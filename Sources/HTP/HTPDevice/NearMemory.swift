import HTPInterface
import HexagonRPC

/// How weights come near a DSP's vector units.
public struct NearMemory: Hashable, Sendable {
    /// Bytes of the vector units' own memory (VTCM) that the program asks for at most while it works; `nil` for all
    /// that there is. Processes share it by turns: what others hold the program does without.
    public var byteLimit: Int?
    /// Whether the DMA engine (v68 and later) brings all weights there, while those before are multiplied. Otherwise the
    /// processor brings what large batches use many times.
    ///
    /// No processor has run this yet, and one that has no such engine loses its session.
    public var usesDMA: Bool

    /// A choice; without arguments the program's own.
    public init(byteLimit: Int? = nil, usesDMA: Bool = false) {
        (self.byteLimit, self.usesDMA) = (byteLimit, usesDMA)
    }
}

extension HTPDevice {
    /// Chooses how weights come near, from the next work on. Results stay the same to the bit.
    ///
    /// A program whose code has no DMA refuses it with `AEE_EUNSUPPORTED`.
    ///
    /// - Returns: whether what was wanted is used: the program first tries whether DMA works.
    @discardableResult
    package func setNearMemory(_ wanted: NearMemory) throws -> Bool {
        let isDMA = try withProgram {
            try $0.nearMemory(
                most: wanted.byteLimit.map { UInt64(max(0, $0)) } ?? .max, dma: wanted.usesDMA ? 1 : 0)
        }
        nearMemory = NearMemory(byteLimit: wanted.byteLimit, usesDMA: isDMA != 0)
        return nearMemory == wanted
    }
}
