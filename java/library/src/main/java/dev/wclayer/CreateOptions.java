package dev.wclayer;

import java.util.Map;

/**
 * How a layer is created.
 *
 * @param sizeBytes size of the container's disk, recorded with a writable layer (the portable store shows it and does not
 *     enforce it), not negative; 0 is the driver's default
 */
public record CreateOptions(long sizeBytes) {
    /** The driver's default size. */
    public static final CreateOptions DEFAULT = new CreateOptions(0);

    private static final String UNITS = "kmgtp";

    /**
     * Checks the size.
     *
     * @param sizeBytes as in the record
     * @throws IllegalArgumentException if the size is negative
     */
    public CreateOptions {
        if (sizeBytes < 0) {
            throw new IllegalArgumentException("sizeBytes is negative: " + sizeBytes);
        }
    }

    /**
     * Reads Docker's storage options, of which Windows knows one: {@code size}.
     *
     * @param storageOptions options by name, without regard to case
     * @return the options
     * @throws InvalidLayerArgumentException if an option is unknown or no size
     */
    public static CreateOptions of(Map<String, String> storageOptions) throws InvalidLayerArgumentException {
        CreateOptions options = DEFAULT;
        for (Map.Entry<String, String> option : storageOptions.entrySet()) {
            if (!option.getKey().equalsIgnoreCase("size")) {
                throw Failures.argument(
                        "Create", "unknown storage option '" + option.getKey() + "'; the only known one is size");
            }
            options = new CreateOptions(parseSize(option.getValue()));
        }
        return options;
    }

    /**
     * Reads a size as Docker writes it: a number and perhaps a unit, which counts in multiples of 1024.
     *
     * @param text for example {@code 20GB}, {@code 127g} or {@code 1048576}
     * @return bytes
     * @throws InvalidLayerArgumentException if it is no size
     */
    public static long parseSize(String text) throws InvalidLayerArgumentException {
        String rest = text.trim();
        if (endsWithIgnoringCase(rest, "ib")) {
            rest = rest.substring(0, rest.length() - 2);
        } else if (endsWithIgnoringCase(rest, "b")) {
            rest = rest.substring(0, rest.length() - 1);
        }
        int shift = 0;
        if (!rest.isEmpty()) {
            int unit = UNITS.indexOf(Character.toLowerCase(rest.charAt(rest.length() - 1)));
            if (unit >= 0) {
                shift = 10 * (unit + 1);
                rest = rest.substring(0, rest.length() - 1).trim();
            }
        }
        if (!rest.isEmpty() && rest.length() <= 19 && rest.chars().allMatch(c -> c >= '0' && c <= '9')) {
            try {
                return Math.multiplyExact(Long.parseLong(rest), 1L << shift);
            } catch (ArithmeticException | NumberFormatException tooLarge) {
                throw notASize(text);
            }
        }
        throw notASize(text);
    }

    private static boolean endsWithIgnoringCase(String text, String end) {
        return text.regionMatches(true, text.length() - end.length(), end, 0, end.length());
    }

    private static InvalidLayerArgumentException notASize(String text) {
        return Failures.argument(
                "Create", "not a size: '" + text + "' (a number with an optional unit, as 20GB or 512m)");
    }
}
