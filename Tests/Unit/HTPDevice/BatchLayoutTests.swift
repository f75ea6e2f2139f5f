import HTPDevice
import HTPProgram
import Testing

/// The host's idea of the command buffer against the C structs that the DSP program is compiled with.
@Suite struct BatchLayoutTests {
    @Test func headerMatchesC() {
        typealias C = htp_batch_header
        typealias Swift = BatchLayout.Header
        #expect(MemoryLayout<C>.size == BatchLayout.headerBytes)
        #expect(MemoryLayout<C>.offset(of: \.magic) == Swift.magic)
        #expect(MemoryLayout<C>.offset(of: \.version) == Swift.version)
        #expect(MemoryLayout<C>.offset(of: \.byte_count) == Swift.byteCount)
        #expect(MemoryLayout<C>.offset(of: \.buffer_count) == Swift.bufferCount)
        #expect(MemoryLayout<C>.offset(of: \.operation_count) == Swift.operationCount)
        #expect(MemoryLayout<C>.offset(of: \.tokens) == Swift.tokens)
        #expect(MemoryLayout<C>.offset(of: \.outputs) == Swift.outputs)
        #expect(MemoryLayout<C>.offset(of: \.position) == Swift.position)
        #expect(MemoryLayout<C>.offset(of: \.status) == Swift.status)
        #expect(MemoryLayout<C>.offset(of: \.executed) == Swift.executed)
        #expect(MemoryLayout<C>.offset(of: \.fault) == Swift.fault)
        #expect(MemoryLayout<C>.offset(of: \.fault_operation) == Swift.faultOperation)
        #expect(MemoryLayout<C>.offset(of: \.microseconds) == Swift.microseconds)
        #expect(MemoryLayout<C>.offset(of: \.multiply_adds) == Swift.multiplyAdds)
    }

    @Test func entriesAndOperationsMatchC() {
        #expect(MemoryLayout<htp_buffer_entry>.size == BatchLayout.bufferEntryBytes)
        #expect(MemoryLayout<htp_buffer_entry>.offset(of: \.fd) == BatchLayout.BufferEntry.descriptor)
        #expect(MemoryLayout<htp_buffer_entry>.offset(of: \.flags) == BatchLayout.BufferEntry.flags)
        #expect(MemoryLayout<htp_buffer_entry>.offset(of: \.size) == BatchLayout.BufferEntry.byteCount)

        typealias C = htp_operation
        typealias Swift = BatchLayout.Operation
        #expect(MemoryLayout<C>.size == BatchLayout.operationBytes)
        #expect(MemoryLayout<C>.offset(of: \.opcode) == Swift.opcode)
        #expect(MemoryLayout<C>.offset(of: \.flags) == Swift.flags)
        #expect(MemoryLayout<C>.offset(of: \.rows) == Swift.rows)
        #expect(MemoryLayout<C>.offset(of: \.present) == Swift.present)
        #expect(MemoryLayout<C>.offset(of: \.refresh) == Swift.refresh)
        #expect(MemoryLayout<C>.offset(of: \.publish) == Swift.publish)
        #expect(MemoryLayout<C>.offset(of: \.tensors) == Swift.tensors)
        #expect(MemoryLayout<C>.offset(of: \.parameters) == Swift.parameters)
        #expect(MemoryLayout<htp_tensor>.size == BatchLayout.Tensor.byteCount)
        #expect(Int(HTP_TENSORS) == BatchLayout.Slot.count)
        #expect(Int(HTP_DESTINATION.rawValue) == BatchLayout.Slot.destination)
        #expect(Int(HTP_DESTINATION_2.rawValue) == BatchLayout.Slot.destination2)
        #expect(Int(HTP_INPUT_0.rawValue) == BatchLayout.Slot.input0)
        #expect(MemoryLayout<htp_tensor>.offset(of: \.buffer) == BatchLayout.Tensor.buffer)
        #expect(MemoryLayout<htp_tensor>.offset(of: \.stride) == BatchLayout.Tensor.stride)
        #expect(MemoryLayout<htp_tensor>.offset(of: \.offset) == BatchLayout.Tensor.offset)
    }

    @Test func constantsMatchC() {
        #expect(BatchLayout.magic == HTP_BATCH_MAGIC)
        #expect(BatchLayout.version == HTP_BATCH_VERSION)
        #expect(BatchLayout.buffersMax == Int(HTP_BATCH_BUFFERS_MAX))
        #expect(BatchLayout.operationsMax == Int(HTP_BATCH_OPERATIONS_MAX))
        #expect(BatchLayout.rowsMax == Int(HTP_BATCH_ROWS_MAX))
        #expect(BatchLayout.sameSource == HTP_MATMUL_SAME_SOURCE)
        #expect(BatchLayout.twice == HTP_MATMUL_TWICE)
        #expect(BatchLayout.expertsMax == Int(HTP_ROUTE_EXPERTS_MAX))
        #expect(BatchLayout.chosenExpertsMax == Int(HTP_ROUTE_CHOSEN_MAX))
        #expect(BatchBuilder.Rows.tokens.rawValue == HTP_ROWS_TOKENS.rawValue)
        #expect(BatchBuilder.Rows.outputs.rawValue == HTP_ROWS_OUTPUTS.rawValue)
        #expect(BatchLayout.headSizeMax == Int(HTP_HEAD_SIZE_MAX))
        #expect(BatchLayout.headsMax == Int(HTP_HEADS_MAX))
        #expect(BatchLayout.topCountMax == Int(HTP_TOP_COUNT_MAX))
        #expect(BatchLayout.refreshAndPublish == HTP_BUFFER_REFRESH | HTP_BUFFER_PUBLISH)
        #expect(BatchLayout.positionsMax == Int(HTP_BATCH_POSITIONS_MAX))
        #expect(TileKind.columnsMax == Int(HTP_COLUMNS_MAX))
    }

    @Test func packets() throws {
        typealias C = htp_batch_request
        typealias Swift = BatchLayout.Request
        #expect(MemoryLayout<C>.size == Swift.byteCount)
        #expect(MemoryLayout<C>.offset(of: \.number) == Swift.number)
        #expect(MemoryLayout<C>.offset(of: \.fd) == Swift.descriptor)
        #expect(MemoryLayout<C>.offset(of: \.offset) == Swift.offset)
        #expect(MemoryLayout<C>.offset(of: \.size) == Swift.size)

        let response = htp_batch_response(number: 0x0102_0304, status: 0x48)
        #expect(MemoryLayout<htp_batch_response>.size == BatchLayout.Response.byteCount)
        let bytes = withUnsafeBytes(of: response) { Array($0) }
        #expect(BatchLayout.Response.status(in: bytes, number: 0x0102_0304)?.rawValue == 0x48)
        #expect(BatchLayout.Response.status(in: bytes, number: 0x0102_0305) == nil)
        #expect(BatchLayout.Response.status(in: Array(bytes.dropLast()), number: 0x0102_0304) == nil)
    }

    @Test(arguments: TileKind.allCases, [32, 64, 96, 2048, 14336])
    func tileSizesMatchC(kind: TileKind, columns: Int) {
        #expect(kind.parts.block == Int(htp_tile_code_bytes(kind.rawValue)))
        #expect(
            kind.rowTileBytes(columns: columns) == Int(htp_row_tile_bytes(kind.rawValue, UInt32(columns))))
        for rows in [1, 31, 32, 33, 128_256] {
            #expect(
                kind.byteCount(rows: rows, columns: columns)
                    == Int(htp_tiles_bytes(kind.rawValue, UInt32(rows), UInt32(columns))))
        }
    }
}
