import GGUF

/// What a whole model can be quantised to: a tensor type for most matrices, and a rule for those that need more bits. Names
/// and numbers are llama.cpp's; of I2_S they are Microsoft's, of IQ2_BN ik_llama.cpp's.
public enum QuantizationMix: String, CaseIterable, Sendable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8_0 = "Q8_0"
    case q4_0 = "Q4_0"
    case q4_1 = "Q4_1"
    case q5_0 = "Q5_0"
    case q5_1 = "Q5_1"
    case q2K = "Q2_K"
    case q2KS = "Q2_K_S"
    case q3KS = "Q3_K_S"
    case q3KM = "Q3_K_M"
    case q3KL = "Q3_K_L"
    case q4KS = "Q4_K_S"
    case q4KM = "Q4_K_M"
    case q5KS = "Q5_K_S"
    case q5KM = "Q5_K_M"
    case q6K = "Q6_K"
    case iq4NL = "IQ4_NL"
    case iq4XS = "IQ4_XS"
    case mxfp4 = "MXFP4_MOE"
    case tq1_0 = "TQ1_0"
    case tq2_0 = "TQ2_0"
    case i2S = "I2_S"
    case iq2BN = "IQ2_BN"
    /// All tensors as they are: joins the parts of a split model.
    case copy = "COPY"

    /// - Parameter name: in either case; `Q3_K`, `Q4_K` and `Q5_K` are their M; or llama.cpp's number.
    public init?(_ name: String) {
        let name = name.uppercased()
        let aliases = ["Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4": "MXFP4_MOE"]
        if let mix = Self(rawValue: aliases[name] ?? name) {
            self = mix
        } else if let number = UInt32(name),
            // 40 is another type in llama.cpp than in Microsoft's fork.
            let mix = Self.allCases.first(where: { $0.fileType == number && $0 != .i2S })
        {
            self = mix
        } else {
            return nil
        }
    }

    /// The names, for people.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// What `general.file_type` says.
    var fileType: UInt32? {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2K: 10
        case .q3KS: 11
        case .q3KM: 12
        case .q3KL: 13
        case .q4KS: 14
        case .q4KM: 15
        case .q5KS: 16
        case .q5KM: 17
        case .q6K: 18
        case .q2KS: 21
        case .iq4NL: 25
        case .iq4XS: 30
        case .bf16: 32
        case .tq1_0: 36
        case .tq2_0: 37
        case .mxfp4: 38
        case .i2S: 40
        case .iq2BN: 137
        case .copy: nil
        }
    }

    /// The type of most matrices.
    var type: TensorType? {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q4_0: .q4_0
        case .q4_1: .q4_1
        case .q5_0: .q5_0
        case .q5_1: .q5_1
        case .q2K, .q2KS: .q2_K
        case .q3KS, .q3KM, .q3KL: .q3_K
        case .q4KS, .q4KM: .q4_K
        case .q5KS, .q5KM: .q5_K
        case .q6K: .q6_K
        case .iq4NL: .iq4_NL
        case .iq4XS: .iq4_XS
        case .mxfp4: .mxfp4
        case .tq1_0: .tq1_0
        case .tq2_0: .tq2_0
        case .i2S: .i2_S
        case .iq2BN: .iq2_BN
        case .copy: nil
        }
    }
}
