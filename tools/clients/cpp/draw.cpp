// Draws with ONNX Runtime's C++ API and checks that the images are those of golden.npz.
//
//     g++ -std=c++17 -O2 draw.cpp -I /usr/include/onnxruntime -lonnxruntime -o draw
//     ./draw exported/dcgan/generator.onnx exported/dcgan/golden.npz dcgan.pgm
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

constexpr double kTolerance = 1e-4;  // between processors

struct Array {
    std::string dtype;  // "<f4", "<i8" or "<i4"
    std::vector<int64_t> shape;
    std::vector<char> data;
};

// A little-endian number of `size` bytes.
static uint32_t number(const std::string& bytes, size_t at, int size) {
    uint32_t value = 0;
    for (int i = size - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return value;
}

// What stands between `open` and the next `close` in a header such as {'descr': '<f4', 'shape': (4, 100), }.
static std::string between(const std::string& header, const std::string& open, char close) {
    const size_t start = header.find(open);
    if (start == std::string::npos) throw std::runtime_error("golden.npz: a strange header: " + header);
    return header.substr(start + open.size(), header.find(close, start + open.size()) - start - open.size());
}

static Array read_npy(const std::string& bytes) {
    const size_t start = 10 + number(bytes, 8, 2);
    const std::string header = bytes.substr(10, start - 10);
    if (header.find("'fortran_order': True") != std::string::npos) throw std::runtime_error("golden.npz: not in C order");
    Array array{between(header, "'descr': '", '\''), {}, {bytes.begin() + start, bytes.end()}};
    std::string shape = between(header, "'shape': (", ')');
    for (size_t at = 0; (at = shape.find_first_of("0123456789", at)) != std::string::npos;) {
        size_t length = 0;
        array.shape.push_back(std::stoll(shape.substr(at), &length));
        at += length;
    }
    return array;
}

// The arrays of a file that numpy.savez wrote: a zip archive of .npy files, not compressed.
static std::map<std::string, Array> read_npz(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() < 22 || number(bytes, bytes.size() - 22, 4) != 0x06054b50)
        throw std::runtime_error(std::string(path) + ": not an .npz file");
    std::map<std::string, Array> arrays;
    size_t at = number(bytes, bytes.size() - 6, 4);
    for (uint32_t left = number(bytes, bytes.size() - 12, 2); left > 0; --left) {
        if (number(bytes, at + 10, 2) != 0) throw std::runtime_error(std::string(path) + ": compressed");
        const uint32_t size = number(bytes, at + 24, 4), local = number(bytes, at + 42, 4), named = number(bytes, at + 28, 2);
        const std::string name = bytes.substr(at + 46, named - 4);  // without .npy
        const size_t start = local + 30 + number(bytes, local + 26, 2) + number(bytes, local + 28, 2);
        arrays[name] = read_npy(bytes.substr(start, size));
        at += 46 + named + number(bytes, at + 30, 2) + number(bytes, at + 32, 2);
    }
    return arrays;
}

// float32 [n, h, w, c] in low..high -> a PGM (grey) or PPM (RGB) file of the n images in one column.
static void write_picture(const char* path, const float* data, const std::vector<int64_t>& shape, float low, float high) {
    std::ofstream file(path, std::ios::binary);
    file << (shape[3] == 1 ? "P5" : "P6") << "\n" << shape[2] << " " << shape[0] * shape[1] << "\n255\n";
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2] * shape[3]; ++i)
        file.put(static_cast<char>(std::lround((std::clamp(data[i], low, high) - low) / (high - low) * 255)));
}

static int draw(const char* model, const char* npz, const char* picture) {
    static const std::map<std::string, ONNXTensorElementDataType> types = {
        {"<f4", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
        {"<i8", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
        {"<i4", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32}};
    Ort::Env env;
    Ort::Session session(env, model, Ort::SessionOptions{});
    Ort::AllocatorWithDefaultOptions allocator;
    auto golden = read_npz(npz);

    std::vector<std::string> names;
    for (size_t i = 0; i < session.GetInputCount(); ++i)
        names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
    std::vector<const char*> inputs;
    for (const auto& name : names) inputs.push_back(name.c_str());
    const std::string output = session.GetOutputNameAllocated(0, allocator).get();
    const char* outputs[] = {output.c_str()};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);

    double difference = 0;  // the largest of all sizes
    const auto run = [&](const std::string& size) {  // "", or a further size of images: "/160x192"
        std::vector<Ort::Value> values;
        for (const auto& name : names) {
            Array& input = golden.at(name + size);
            values.push_back(Ort::Value::CreateTensor(memory, input.data.data(), input.data.size(), input.shape.data(),
                                                      input.shape.size(), types.at(input.dtype)));
        }
        auto results = session.Run(Ort::RunOptions{}, inputs.data(), values.data(), values.size(), outputs, 1);
        const Array& expected = golden.at(output + size);
        if (results[0].GetTensorTypeAndShapeInfo().GetShape() != expected.shape)
            throw std::runtime_error("the output has another shape than golden.npz");
        const float* made = results[0].GetTensorData<float>();
        const float* wanted = reinterpret_cast<const float*>(expected.data.data());
        for (size_t i = 0; i < expected.data.size() / sizeof(float); ++i) {
            const double one = std::fabs(static_cast<double>(made[i]) - wanted[i]);
            difference = std::isnan(one) ? INFINITY : std::max(difference, one);
        }
        return results;
    };
    const auto results = run("");
    for (const auto& entry : golden)
        if (entry.first.rfind(output + "/", 0) == 0) run(entry.first.substr(output.size()));

    const auto shape = results[0].GetTensorTypeAndShapeInfo().GetShape();
    const float* data = results[0].GetTensorData<float>();
    const auto facts = session.GetModelMetadata();  // what manifest.json says stands in the file too
    const auto name = facts.LookupCustomMetadataMapAllocated("gan.name", allocator);
    std::printf("%s: %s [", name ? name.get() : model, output.c_str());
    for (size_t i = 0; i < shape.size(); ++i) std::printf(i ? ", %lld" : "%lld", static_cast<long long>(shape[i]));
    std::printf("], largest difference to golden.npz %.1e\n", difference);

    const auto range = facts.LookupCustomMetadataMapAllocated("gan.value_range", allocator);
    float low = 0, high = 1;
    if (picture && range && shape.size() == 4 && std::sscanf(range.get(), "%f,%f", &low, &high) == 2)
        write_picture(picture, data, shape, low, high);
    return difference <= kTolerance ? 0 : 1;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: draw MODEL.onnx GOLDEN.npz [PICTURE.pgm]\n";
        return 2;
    }
    try {
        return draw(argv[1], argv[2], argc > 3 ? argv[3] : nullptr);
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 2;
    }
}
