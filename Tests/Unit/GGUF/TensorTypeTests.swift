import GGUF
import Testing

@Suite struct TensorTypeTests {
    @Test func namesAndNumbersAreOneToOne() {
        for type in TensorType.allKnown {
            #expect(TensorType(name: type.name) == type)
            #expect(TensorType(name: type.name.lowercased()) == type)
        }
        #expect(TensorType(name: "Q4_K") == .q4_K)
        #expect(TensorType(rawValue: 77).layout == nil)
        #expect(TensorType(rawValue: 77).name == "type 77")
        #expect(TensorType(name: "Q9_9") == nil)
    }

    @Test func rowAndTensorScalesCount() throws {
        // ik_llama.cpp: a float before each row of 2-bit codes.
        let rows = try #require(TensorType.iq2_BN.layout)
        #expect(rows.rowByteCount(128) == 4 + 32)
        #expect(rows.byteCount([128, 3]) == 3 * 36)
        #expect(rows.rowByteCount(96) == nil)
        // BitNet: 2-bit codes, and 32 bytes behind all of them.
        let tensor = try #require(TensorType.i2_S.layout)
        #expect(tensor.byteCount([128, 3]) == 128 * 3 / 4 + 32)
    }

    @Test func sizesDoNotOverflow() throws {
        let layout = try #require(TensorType.f32.layout)
        #expect(layout.rowByteCount(Int.max) == nil)
        #expect(layout.byteCount([1 << 40, 1 << 40]) == nil)
        #expect(
            layout.byteCount([]) == nil && layout.byteCount([0]) == nil && layout.byteCount([4, -1]) == nil)
    }
}
