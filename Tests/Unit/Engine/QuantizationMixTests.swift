import Engine
import Foundation
import GGUF
import TestSupport
import Testing

/// The types that llama.cpp gives the tensors of some shapes of models, by digests of the names and types.
///
/// Made by `Tests/Toolchain/Witness/mixes.py FOLDER` with llama-cpp-python 0.3.36; the shapes are there, too.
@Suite("Mixes") struct QuantizationMixTests {
    struct Shape: Sendable {
        let architecture: String
        let (layers, width, hidden): (Int, Int, Int)
        let (heads, keyHeads, experts): (Int, Int, Int)
        let hasOutput: Bool

        init(
            _ architecture: String, _ layers: Int, _ width: Int, _ hidden: Int, _ heads: Int, _ keyHeads: Int,
            experts: Int = 0, hasOutput: Bool = true
        ) {
            (self.architecture, self.layers, self.width, self.hidden) = (architecture, layers, width, hidden)
            (self.heads, self.keyHeads, self.experts) = (heads, keyHeads, experts)
            self.hasOutput = hasOutput
        }

        /// A model of that shape; its weights are zeros.
        func write(to path: String) throws {
            var writer = GGUFWriter()
            writer.set("general.architecture", .string(architecture))
            func set(_ key: String, _ value: Int) {
                writer.set("\(architecture).\(key)", .uint32(UInt32(value)))
            }
            set("block_count", layers)
            set("embedding_length", width)
            set("attention.head_count", heads)
            set("attention.head_count_kv", keyHeads)
            if experts > 0 { set("expert_count", experts) }
            func add(_ name: String, _ dimensions: Int...) {
                let count = dimensions.reduce(4, *)
                writer.addTensor(name + ".weight", dimensions: dimensions, type: .f32) {
                    [UInt8](repeating: 0, count: count)
                }
            }
            // The last layer first: what counts is not the file's order.
            for layer in (0..<layers).reversed() {
                let prefix = "blk.\(layer)."
                for name in ["attn_norm", "ffn_norm"] { add(prefix + name, width) }
                for name in ["attn_q", "attn_k", "attn_v", "attn_output"] { add(prefix + name, width, 4) }
                if experts > 0 {
                    add(prefix + "ffn_gate_inp", width, experts)
                    add(prefix + "ffn_gate_exps", width, 4, experts)
                    add(prefix + "ffn_up_exps", width, 4, experts)
                    add(prefix + "ffn_down_exps", hidden, 4, experts)
                } else {
                    for name in ["ffn_gate", "ffn_up"] { add(prefix + name, width, 4) }
                    add(prefix + "ffn_down", hidden, 4)
                }
            }
            add("token_embd", width, 8)
            add("output_norm", width)
            if hasOutput { add("output", width, 8) }
            try writer.write(to: path)
        }
    }

    static let shapes: [String: Shape] = [
        "grouped": Shape("llama", 20, 256, 512, 8, 2),
        "tied": Shape("llama", 33, 256, 256, 8, 8, hasOutput: false),
        "experts": Shape("llama", 24, 256, 256, 8, 2, experts: 8),
        "large": Shape("llama", 80, 256, 256, 8, 1),
        "odd": Shape("llama", 10, 160, 96, 4, 2),
        "few": Shape("qwen3moe", 12, 256, 128, 8, 2, experts: 6),
    ]

    @Test("types are llama.cpp's", arguments: shapes.keys.sorted())
    func types(_ name: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("model.gguf")
        try #require(Self.shapes[name]).write(to: path)
        var compared = 0
        for line in Self.digests.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words[0] == name else { continue }
            let mix = try #require(QuantizationMix(String(words[1])))
            let steps = try ModelQuantizer(ModelQuantizer.Options(mix)).plan(path)
            let lines = steps.map { "\($0.name) \($0.to)\n" }.sorted {
                $0.utf8.lexicographicallyPrecedes($1.utf8)
            }
            var digest: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in lines.joined().utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
            #expect(UInt64(words[2], radix: 16) == digest, "\(mix)")
            compared += 1
        }
        #expect(compared >= 20)
    }

    private static let digests = """
        grouped F16 44c3c604167a7cb5
        grouped BF16 9cb5d34896c32097
        grouped Q8_0 fe9610adda7911f9
        grouped Q4_0 6f0f4c7deaa30890
        grouped Q4_1 b79d2b80819443ff
        grouped Q5_0 7822120e73583ed7
        grouped Q5_1 acc25bf6a38558a8
        grouped Q2_K 1e2a0cb2a9bc1a03
        grouped Q3_K_S cff455d5074c2cc8
        grouped Q3_K_M 0f45efa862fbe079
        grouped Q3_K_L b4f14dc3c2fde4a0
        grouped Q4_K_S c699146bf2a3d93f
        grouped Q4_K_M 4a42c677df27d415
        grouped Q5_K_S 51ccf56e4d133716
        grouped Q5_K_M 3547e42d0864a296
        grouped Q6_K da6868d4866f0bc3
        grouped IQ4_NL dac1aa896957ef37
        grouped IQ4_XS e14951bb5d49ea4c
        grouped MXFP4_MOE fe9610adda7911f9
        grouped TQ1_0 58764af9d9fa037f
        grouped TQ2_0 b10bd52e2b307151
        tied F16 c032230f718ed34d
        tied BF16 bb77130c3f7bfba3
        tied Q8_0 0b20937bd110526b
        tied Q4_0 d39e7b5f0790483a
        tied Q4_1 b84b895c4e67e37b
        tied Q5_0 f5f744f29b2cbe33
        tied Q5_1 5b539bb4230b4b62
        tied Q2_K 0b45d969944c0eba
        tied Q3_K_S 2552fc464f8070ba
        tied Q3_K_M 7988c921e1488ba5
        tied Q3_K_L 645b8e89841e258c
        tied Q4_K_S ae30138f10ae7571
        tied Q4_K_M bc23c38f196e915d
        tied Q5_K_S 00c19935c2c516f0
        tied Q5_K_M 28a2a2cda819a374
        tied Q6_K e693bbd4cecd97ff
        tied IQ4_NL f20110e343c418b3
        tied IQ4_XS a743e31ef7ca585e
        tied MXFP4_MOE 0b20937bd110526b
        tied TQ1_0 99f66a2eb7bc454d
        tied TQ2_0 3664aa52981e9c74
        experts F16 fa194a5848c94cb3
        experts BF16 88aed3b3b89eb03f
        experts Q8_0 f6ac2f7b1976a613
        experts Q4_0 11d823ec630268c2
        experts Q4_1 a6f9fdf94c5c38a7
        experts Q5_0 b9c1a50781818c9f
        experts Q5_1 8cbffc383221391a
        experts Q2_K 20f897ea56f6538f
        experts Q3_K_S ab6bbf33f8cde2ce
        experts Q3_K_M 048ac5b51e3823fd
        experts Q3_K_L 1b3a089a29072362
        experts Q4_K_S b8620afe8e72b78a
        experts Q4_K_M 8b0d5cfd91ebaf51
        experts Q5_K_S 291108c971ff61dc
        experts Q5_K_M 8b8ed1e7c02d540c
        experts Q6_K 86c75d43c9fd8823
        experts IQ4_NL 9aa5f74198577896
        experts IQ4_XS 9b2a87dcbd04e7f4
        experts MXFP4_MOE 87e35c4826c2c033
        experts TQ1_0 6c9ad5cab5cbbaa9
        experts TQ2_0 0f4ec3560947398d
        large F16 ef1864661987a6bf
        large BF16 04e6fa3027eab521
        large Q8_0 aba99af3bec814eb
        large Q4_0 921b6de58fbf6242
        large Q4_1 e0a52ee426ab2481
        large Q5_0 1212e4637bb2fd99
        large Q5_1 74f12efac84c7b9a
        large Q2_K 054cbb54be17db9b
        large Q3_K_S 9b98ffa8bfc8c2ea
        large Q3_K_M 438d40e1db6f6e0f
        large Q3_K_L 4f193de541fae296
        large Q4_K_S 715a58986e25d37f
        large Q4_K_M 7ca1456a213e14d3
        large Q5_K_S e31e5fe8cff91e9c
        large Q5_K_M 2ca71be7594ed4d0
        large Q6_K 4081325bce90e54d
        large IQ4_NL 0dc1ba58b8c5bfcd
        large IQ4_XS d7557067b4554e0a
        large MXFP4_MOE aba99af3bec814eb
        large TQ1_0 3f8bf2c31c56d06d
        large TQ2_0 d9f9aa41048c7ecf
        odd F16 19aedf258b2589e8
        odd BF16 5ab92b67ddbed010
        odd Q8_0 cbc0a616b0ba43c6
        odd Q4_0 74241e841091d2f2
        odd Q4_1 509cb101660eb42d
        odd Q5_0 7e7af9b4fdce46c5
        odd Q5_1 45f0c9432b1ab8da
        odd Q2_K 74241e841091d2f2
        odd Q3_K_S 74241e841091d2f2
        odd Q3_K_M d7dfe6f7712e3d9e
        odd Q3_K_L 47ffed64c2561032
        odd Q4_K_S dc1079058ea00334
        odd Q4_K_M 5739900dd590dfe3
        odd Q5_K_S 45f0c9432b1ab8da
        odd Q5_K_M 46667878e4a3eba2
        odd Q6_K cbc0a616b0ba43c6
        odd IQ4_NL 3b47a2975f7aaf8c
        odd IQ4_XS 3b47a2975f7aaf8c
        odd MXFP4_MOE cbc0a616b0ba43c6
        odd TQ1_0 9f0f0078c785c227
        odd TQ2_0 9f0f0078c785c227
        few F16 40cdb8db60b5833b
        few BF16 d658bd776d7e2157
        few Q8_0 b3188979d023279f
        few Q4_0 b636ede20e171f36
        few Q4_1 800b0bc56f6a4a67
        few Q5_0 f6aa329690af0d5f
        few Q5_1 31f7ba47846d75ee
        few Q2_K eefcd2e6728e2833
        few Q3_K_S da5a12baf2a19a5e
        few Q3_K_M 48cb1f93fb2c2c3a
        few Q3_K_L ecb9f93c2e2413aa
        few Q4_K_S 46fc818439ebc22a
        few Q4_K_M 2fca44121f1839a9
        few Q5_K_S 88d61136a708bf30
        few Q5_K_M 0df10db467a9b2a0
        few Q6_K b36bf961e383334b
        few IQ4_NL fe3cbe82ef6a932c
        few IQ4_XS 58b458565fb419d1
        few MXFP4_MOE ce4ae9888af404a3
        few TQ1_0 e1b8a28535cbdc51
        few TQ2_0 288f3581eaff4161
        """
}
