import Engine
import GGUF
import TestSupport
import Testing

@Suite("NumPy file") struct NumPyFileTests {
    @Test func readsBackWhatItWrote() throws {
        let folder = try TemporaryFolder()
        for (rows, columns) in [(1, 1), (3, 5), (64, 1000), (0, 7), (12345, 1)] {
            let values = (0..<rows * columns).map { Float($0) * 0.37 - 5 }
            try NumPyFile.write(values, columns: columns, to: folder.path("x.npy"))
            let matrix = try NumPyMatrix(path: folder.path("x.npy"))
            #expect(matrix.rows == rows && matrix.columns == columns)
            #expect(matrix.values == values.map(Double.init))
        }
        #expect(try folder.contents == ["x.npy"])
    }

    @Test func leavesNothingWhereItCannotWrite() throws {
        let folder = try TemporaryFolder()
        for path in [folder.path("missing/x.npy"), folder.path] {
            #expect(throws: (any Error).self) { try ReplacementFile.check(path) }
            #expect(throws: (any Error).self) { try NumPyFile.write([1], columns: 1, to: path) }
        }
        try ReplacementFile.check(folder.path("x.npy"))
        #expect(try folder.contents == [])
    }
}
