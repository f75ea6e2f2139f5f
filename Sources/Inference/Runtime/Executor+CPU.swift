import CPUKernels
import Glibc
import Models
import Quantization

extension Executor {
    /// Runs one operation on the CPU.
    func runOnCPU(_ operation: Operation, _ step: Step) {
        let rows = operation.output.map { self.rows($0, step) } ?? step.tokens.count
        // Without wanted logits the last operations have no rows.
        guard rows > 0 else { return }
        switch operation.kind {
        case .embed(let weight, let output):
            embed(weight, output, step)
        case .rmsNorm(let input, let weight, let epsilon, let output):
            rmsNorm(input, weight, epsilon, output, rows: rows)
        case .matmul(let weight, let input, let output):
            matmul(weight, input, output, rows: rows)
        case .rotate(let tensor, let heads, let size):
            rotate(tensor, heads: heads, size: size, step)
        case .store(let key, let value, let layer):
            store(key, value, layer: layer, step)
        case .attention(let query, let layer, let output):
            attention(query, layer: layer, output, step)
        case .add(let a, let b, let output):
            elementwise(output, rows: rows) { [kernels] offset, count in
                kernels.add(pointer(output) + offset, pointer(a) + offset, pointer(b) + offset, count)
            }
        case .swiGLU(let gate, let up, let output):
            elementwise(output, rows: rows) { [kernels] offset, count in
                kernels.silu_mul(
                    pointer(output) + offset, pointer(gate) + offset, pointer(up) + offset, count)
            }
        case .selectOutputs(let input, let output):
            let width = graph.tensors[input].width
            pointer(output).update(from: pointer(input) + step.firstOutput * width, count: rows * width)
        }
        if operation.output == quantizedTensor { quantizedTensor = nil }
    }

    private func embed(_ weight: Int, _ output: Int, _ step: Step) {
        let matrix = weights.matrices[weight]
        let width = graph.tensors[output].width
        for (row, token) in step.tokens.enumerated() {
            // The type was checked when the weights were opened, the tokens when they came.
            try? matrix.read(
                row: Int(token),
                into: UnsafeMutableBufferPointer(start: pointer(output) + row * width, count: width))
        }
    }

    private func rmsNorm(_ input: Int, _ weight: Int, _ epsilon: Float, _ output: Int, rows: Int) {
        let width = graph.tensors[input].width
        guard let scale = weights.vectors[weight] else { return }
        scale.withUnsafeBufferPointer { scale in
            for row in 0..<rows {
                kernels.rms_norm(
                    pointer(output) + row * width, pointer(input) + row * width, scale.baseAddress, width,
                    epsilon)
            }
        }
    }

    private func rotate(_ tensor: Int, heads: Int, size: Int, _ step: Step) {
        let base = pointer(tensor)
        for row in step.tokens.indices {
            for head in 0..<heads {
                step.rotations.rotate(base + (row * heads + head) * size, row: row)
            }
        }
    }

    private func store(_ key: Int, _ value: Int, layer: Int, _ step: Step) {
        let shape = graph.shape
        for row in step.tokens.indices {
            let position = step.position + row
            for head in 0..<shape.keyValueHeads {
                let from = row * shape.keyValueHeads + head
                (cache.keys(layer: layer, head: head) + position * shape.keySize).update(
                    from: pointer(key) + from * shape.keySize, count: shape.keySize)
                (cache.values(layer: layer, head: head) + position * shape.valueSize).update(
                    from: pointer(value) + from * shape.valueSize, count: shape.valueSize)
            }
        }
    }

    /// One chunk of work is a head of a token.
    private func attention(_ query: Int, layer: Int, _ output: Int, _ step: Step) {
        let shape = graph.shape
        let (kernels, cache) = (kernels, cache)
        let queries = pointer(query), results = pointer(output)
        let scale = 1 / Float(shape.keySize).squareRoot()
        pool.run(chunks: step.tokens.count * shape.heads) { chunk in
            let (row, head) = (chunk / shape.heads, chunk % shape.heads)
            let length = step.position + row + 1
            let shared = head / (shape.heads / shape.keyValueHeads)
            let keys = cache.keys(layer: layer, head: shared),
                values = cache.values(layer: layer, head: shared)
            let result = results + chunk * shape.valueSize
            withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { scores in
                guard let base = scores.baseAddress else { return }
                for position in 0..<length {
                    (base + position).initialize(
                        to: kernels.dot_f32(
                            keys + position * shape.keySize, queries + chunk * shape.keySize, shape.keySize))
                }
                kernels.softmax(base, length, scale)
                result.update(repeating: 0, count: shape.valueSize)
                for position in 0..<length {
                    kernels.axpy_f32(
                        result, base[position], values + position * shape.valueSize, shape.valueSize)
                }
            }
        }
    }

    /// Splits the elements of a tensor among the threads.
    private func elementwise(_ output: Int, rows: Int, _ body: (_ offset: Int, _ count: Int) -> Void) {
        let count = graph.tensors[output].width * rows
        let chunk = 16384
        pool.run(chunks: (count + chunk - 1) / chunk) { index in
            body(index * chunk, min(chunk, count - index * chunk))
        }
    }
}
