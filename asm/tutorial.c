/* The next step the post names: C through the same compiler, into the same archive as tutorial.s. */

#include <stddef.h>
#include <stdint.h>

/* tutorial.s: C calls the assembly routine exactly as Rust does. */
int32_t add_numbers(int32_t a, int32_t b);

/* Wraps around on overflow: the product is formed unsigned, because signed overflow is undefined in C. */
int32_t multiply_numbers(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

/* The sum of `count` numbers, each addition done by the assembly routine. Reads numbers[0 .. count - 1] only. */
int32_t sum_numbers(const int32_t *numbers, size_t count)
{
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum = add_numbers(sum, numbers[i]);
    }
    return sum;
}
