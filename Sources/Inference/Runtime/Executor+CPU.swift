import CPUKernels
import Glibc
import Models
import Quantization

extension Executor {
    /// Whether an operation runs in the loop of one before it: products that are given their rows in the same way, attention
    /// of so few tokens that no head's are cut.
    func isTogether(_ first: Operation, _ other: Operation, _ step: Step) -> Bool {
        guard first.sharesLoop(with: other) else { return false }
        guard case .matmul(let weight, _, let output) = first.kind, let next = other.weight else {
            return attentionBlocks(step) == 1
        }
        let rows = rows(output, step)
        return activationKind(weight, rows: rows) == activationKind(next, rows: rows)
    }

    /// Runs one operation on the CPU, with the ones behind it that can be computed in the same loop.
    func runOnCPU(_ operation: Operation, with others: ArraySlice<Operation>, _ step: Step) {
        let rows = operation.output.map { self.rows($0, step) } ?? step.tokens.count
        // Without wanted logits the last operations have no rows.
        guard rows > 0 else { return }
        switch operation.kind {
        case .embed(let weight, let scale, let output):
            embed(weight, scale, output, step)
        case .rmsNorm(let input, let weight, let epsilon, let output):
            rmsNorm(input, weight, epsilon, output, rows: rows)
        case .matmul:
            matmul([operation] + others, rows: rows)
        case .matmulExperts(let weight, let input, let routing, let output):
            matmulExperts(weight, input, routing, output, rows: rows)
        case .addBias(let tensor, let weight):
            addBias(tensor, weight, rows: rows)
        case .addExpertBiases(let tensor, let weight, let routing):
            addExpertBiases(tensor, weight, routing, rows: rows)
        case .rotate(let tensor, let heads, let size, let rotation):
            rotate(tensor, heads: heads, size: size, step.rotations[rotation], rows: rows)
        case .store(let key, let value, let layer):
            let stored = StoredTensors(key: key, value: value)
            if case .attention(let query, _, let attention, let output) = others.first?.kind {
                self.attention(query, layer: layer, attention, output, step, storing: stored)
            } else {
                store(stored, layer: layer, step)
            }
        case .attention(let query, let layer, let attention, let output):
            self.attention(query, layer: layer, attention, output, step)
        case .add(let a, let b, let output):
            elementwise(output, rows: rows) { [kernels] offset, count in
                kernels.pointee.add(pointer(output) + offset, pointer(a) + offset, pointer(b) + offset, count)
            }
        case .activate(let activation, let gate, let up, let output):
            elementwise(output, rows: rows) { offset, count in
                activate(
                    activation, pointer(output) + offset, pointer(gate) + offset, pointer(up) + offset, count)
            }
        case .scale(let tensor, let factor, let cap):
            elementwise(tensor, rows: rows) { [activationKernels] offset, count in
                activationKernels.scale(pointer(tensor) + offset, count, factor, cap)
            }
        case .route(let logits, let routing, let output):
            route(logits, routing, output, rows: rows)
        case .mix(let input, let routing, let output):
            mix(input, routing, output, rows: rows)
        case .selectOutputs(let input, let output):
            let width = graph.tensors[input].width
            pointer(output).update(from: pointer(input) + step.firstOutput * width, count: rows * width)
        }
        if let tensor = preparedRows?.tensor,
            operation.output == tensor || others.contains(where: { $0.output == tensor })
        {
            preparedRows = nil
        }
    }

    private func embed(_ weight: Int, _ scale: Float, _ output: Int, _ step: Step) {
        let matrix = weights.matrices[weight]
        let width = graph.tensors[output].width
        rowwise(step.tokens.count, width: width) { [activationKernels] rows in
            for row in rows {
                let target = pointer(output) + row * width
                // The type was checked when the weights were opened, the tokens when they came.
                try? matrix.read(
                    row: Int(step.tokens[row]), into: UnsafeMutableBufferPointer(start: target, count: width))
                if scale != 1 { activationKernels.scale(target, width, scale, 0) }
            }
        }
    }

    private func rmsNorm(_ input: Int, _ weight: Int, _ epsilon: Float, _ output: Int, rows: Int) {
        guard let scale = weights.vectors[weight] else { return }
        let (size, groups) = (scale.count, graph.tensors[input].width / scale.count)
        scale.withUnsafeBufferPointer { scale in
            rowwise(rows * groups, width: size) { [kernels] groups in
                for first in groups.lazy.map({ $0 * size }) {
                    kernels.pointee.rms_norm(
                        pointer(output) + first, pointer(input) + first, scale.baseAddress, size, epsilon)
                }
            }
        }
    }

    private func addBias(_ tensor: Int, _ weight: Int, rows: Int) {
        weights.vectors[weight]?.withUnsafeBufferPointer { bias in
            rowwise(rows, width: bias.count) { [kernels] rows in
                for row in rows {
                    let target = pointer(tensor) + row * bias.count
                    kernels.pointee.add(target, target, bias.baseAddress, bias.count)
                }
            }
        }
    }

    private func activate(
        _ activation: Activation, _ output: UnsafeMutablePointer<Float>, _ gate: UnsafeMutablePointer<Float>,
        _ up: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        switch activation {
        case .silu: kernels.pointee.silu_mul(output, gate, up, count)
        case .gelu: activationKernels.gelu_mul(output, gate, up, count)
        case .reluSquared: activationKernels.relu_squared_mul(output, gate, up, count)
        case .clampedSwiGLU(let alpha, let limit):
            activationKernels.swiglu_clamped(output, gate, up, count, alpha, limit)
        }
    }

    private func rotate(_ tensor: Int, heads: Int, size: Int, _ rotation: RotationTable, rows: Int) {
        rowwise(rows, width: heads * size) { [activationKernels] rows in
            for row in rows {
                rotation.rotate(
                    pointer(tensor) + row * heads * size, heads: heads, size: size, row: row,
                    activationKernels)
            }
        }
    }

    /// Floats that are worth a thread's while.
    private static let chunkFloats = 16384

    /// Splits the elements of a tensor among the threads.
    private func elementwise(_ output: Int, rows: Int, _ body: (_ offset: Int, _ count: Int) -> Void) {
        let count = graph.tensors[output].width * rows
        let chunk = Self.chunkFloats
        pool.run(chunks: (count + chunk - 1) / chunk) { index in
            body(index * chunk, min(chunk, count - index * chunk))
        }
    }

    /// Splits rows of `width` floats among the threads, a few at a time; those of one token are no loop at all.
    func rowwise(_ rows: Int, width: Int, _ body: (Range<Int>) -> Void) {
        let size = max(Self.chunkFloats / max(width, 1), 1)
        pool.run(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size..<min((chunk + 1) * size, rows))
        }
    }
}
