import HTPDevice

/// How the elements of a key/value cache are kept. The names are llama.cpp's.
public enum CacheType: String, CaseIterable, Sendable {
    /// Single precision.
    case f32
    /// Half precision.
    case f16
    /// Blocks of 32 codes of eight bits with a step in half precision; heads of a multiple of 32 elements.
    case q8_0
    /// The same with codes of four bits.
    case q4_0

    /// What is taken where nothing else is asked for: what is exact.
    public static let standard = CacheType.f32

    /// The same for the DSP program, whose numbers are also those of the CPU's kernels.
    var element: DeviceCache.Element {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .q8_0: .q8
        case .q4_0: .q4
        }
    }

    /// Elements that share a step.
    var blockSize: Int { self == .q8_0 || self == .q4_0 ? 32 : 1 }
}
