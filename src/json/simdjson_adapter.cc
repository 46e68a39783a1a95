// simdjson's first stage behind a C face (simdjson_adapter.h). The thread of the runner or reader.
//
// No exception and no stream leaves or enters here: all calls used are noexcept, memory comes by
// nothrow new. The implementation for the CPU is chosen at run time, by the library.
#include "json/simdjson_adapter.h"

#include <memory>
#include <new>
#include <simdjson.h>

static_assert(JSON_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson wants more padding");

struct json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

namespace
{
constexpr size_t first_capacity = size_t{64} << 10;
// The second stage is not used, nor the depth that it would allow.
constexpr size_t depth = 1;
} // namespace

json_index *json_index_new(void)
{
    json_index *x = new (std::nothrow) json_index;
    if (!x)
        return nullptr;
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            first_capacity, depth, x->parser)) {
        delete x;
        return nullptr;
    }
    return x;
}

void json_index_free(json_index *x)
{
    delete x;
}

bool json_index_build(json_index *x, const char *p, size_t n, const uint32_t **at)
{
    simdjson::internal::dom_parser_implementation &parser = *x->parser;
    if (n == 0 || n > JSON_INDEX_MAX)
        return false;
    if (n > parser.capacity()) {
        size_t capacity = parser.capacity();
        while (capacity < n)
            capacity *= 2;
        if (parser.set_capacity(capacity))
            return false;
    }
    if (parser.stage1(reinterpret_cast<const uint8_t *>(p), n, simdjson::stage1_mode::regular))
        return false;
    uint32_t *positions = parser.structural_indexes.get();
    const uint32_t last = static_cast<uint32_t>(n - 1);
    for (uint32_t i = 0; i < 3; i++)
        positions[parser.n_structural_indexes + i] = last;
    *at = positions;
    return true;
}
