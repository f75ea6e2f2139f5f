import Foundation
import HTPProgram

/// Weights of tiles of any kind, read by what `htp_tiles.h` says of them.
struct TileWeights {
    let kind: UInt32
    let columns: Int
    let tiles: [UInt8]

    private static let iq4nl: [Double] = [
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
    ]
    private static let e2m1Doubled: [Double] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
    /// Where the bits of words are above a plane of two bits.
    private static let bitOfWord = [2, 3, 6, 7, 0, 1, 4, 5]

    private func byte(_ offset: Int) -> Int { Int(tiles[offset]) }
    private func halfword(_ offset: Int) -> Int { byte(offset) | byte(offset + 1) << 8 }
    private func scale(_ offset: Int) -> Double { Double(Int16(truncatingIfNeeded: halfword(offset))) }

    /// The weights of one output.
    func row(_ output: Int) -> [Double] {
        let tile = output / 64 * Int(htp_row_tile_bytes(kind, UInt32(columns)))
        let row = output % 64, lane = 2 * (row % 32 * 2 + row / 32)
        let parts = htp_tile_parts_of(kind)
        let blocks = Int(htp_tile_blocks(UInt32(columns)))
        let groups = tile + Int(parts.row)
        let chunks = groups + (blocks + 7) / 8 * Int(parts.group)
        let pairs = chunks + (blocks + 3) / 4 * Int(parts.chunk)
        let exponent = Int32(
            truncatingIfNeeded: halfword(tile + 4 * row) | halfword(tile + 4 * row + 2) << 16)
        let unit = pow(2, Double(exponent))
        return (0..<columns).map { column in
            let block = column / 32, half = column % 32 / 16, word = column % 16 / 2, odd = column % 2
            let codes = pairs + (blocks + 1) / 2 * Int(parts.pair) + block * Int(parts.block)
            let group = groups + block / 8 * Int(parts.group) + lane
            let chunk = chunks + block / 4 * Int(parts.chunk) + lane
            func plane4(_ plane: Int) -> Int { byte(plane + 128 * word + lane + half) >> (4 * odd) & 15 }
            func plane2(_ plane: Int) -> Int {
                byte(plane + 128 * (word / 4 * 2 + odd) + lane + half) >> (2 * (word % 4)) & 3
            }
            func plane1(_ plane: Int, _ bit: Int) -> Int { byte(plane + 128 * odd + lane + half) >> bit & 1 }
            func words8(_ plane: Int) -> Int {
                byte(plane + row / 32 * 1024 + 128 * word + row % 32 * 4 + 2 * half + odd)
            }
            func words4(_ plane: Int) -> Int {
                byte(plane + row / 32 * 512 + 128 * (word / 2) + row % 32 * 4 + 2 * half + odd)
                    >> (4 * (word % 2)) & 15
            }
            let index = block % 4 * 2 + half
            func factor(_ vectors: Int) -> Int {
                halfword(vectors + index / 4 * 128) >> (4 * (index % 4)) & 15
            }
            func product(_ scale: Double, _ code: Int) -> Double { scale * Double(code) * unit }
            let first = scale(codes + lane)
            switch Int(kind) {
            case Int(HTP_TILES_TERNARY): return product(scale(tile + 256 + lane), plane2(codes) - 1)
            case Int(HTP_TILES_TERNARY_GROUPS): return product(scale(group), plane2(codes) - 1)
            case Int(HTP_TILES_2BIT_FACTORS):
                return product(scale(group), factor(chunk) * plane2(codes))
                    - product(scale(group + 128), factor(chunk + 256))
            case Int(HTP_TILES_3BIT_FACTORS):
                let six = factor(chunk) + 16 * (halfword(chunk + 256) >> (2 * index) & 3) - 32
                let code = plane2(codes) + 4 * plane1(codes + 512, Self.bitOfWord[word]) - 4
                return product(scale(group), six * code)
            case Int(HTP_TILES_4BIT): return product(first, plane4(codes + 128) - 8)
            case Int(HTP_TILES_4BIT_MINIMA):
                return product(first, plane4(codes + 256) - 8) - product(scale(codes + 128 + lane), 8)
            case Int(HTP_TILES_5BIT):
                return product(first, plane4(codes + 128) + 16 * plane1(codes + 1152, word) - 16)
            case Int(HTP_TILES_5BIT_MINIMA):
                return product(first, plane4(codes + 256) + 16 * plane1(codes + 1280, word) - 16)
                    - product(scale(codes + 128 + lane), 16)
            case Int(HTP_TILES_6BIT_HALVES):
                return product(
                    scale(codes + 128 * half + lane), plane4(codes + 256) + 16 * plane2(codes + 1280) - 32)
            case Int(HTP_TILES_8BIT): return product(first, words8(codes + 128) - 128)
            case Int(HTP_TILES_IQ4NL): return first * Self.iq4nl[words4(codes + 128)] * unit
            case Int(HTP_TILES_12BIT):
                return product(first, 16 * (words8(codes + 128) - 128) + words4(codes + 128 + 2048))
            default:
                // Any byte of the test's is a distance; the program takes four bits of it.
                let distance = byte(pairs + block / 2 * 128 + lane + block % 2) & 15
                guard distance < 15 else { return 0 }
                return pow(2, Double(14 - distance)) * Self.e2m1Doubled[plane4(codes)] * unit
            }
        }
    }
}
