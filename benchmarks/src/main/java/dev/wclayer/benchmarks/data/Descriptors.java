package dev.wclayer.benchmarks.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Security descriptors as Windows images have them: some 200 distinct ones of about 150 bytes. */
final class Descriptors {
    private static final int COUNT = 200;
    private static final int HEADER = 20;
    private static final int SELF_RELATIVE_WITH_DACL = 0x8004;
    private static final int FULL = 0x1F01FF;
    private static final int READ_AND_EXECUTE = 0x1200A9;

    private Descriptors() {}

    /** All of them; the first ones are meant to be used most. */
    static List<byte[]> all(long seed) {
        Random random = new Random(seed);
        List<byte[]> all = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            all.add(descriptor(random));
        }
        return all;
    }

    private static byte[] descriptor(Random random) {
        byte[] service = sid(80, random.nextInt(), random.nextInt(), random.nextInt());
        byte[] administrators = sid(32, 544);
        byte[] users = sid(32, 545);
        byte[] system = sid(18);
        int entries = aceSize(service) + aceSize(administrators) + aceSize(system) + aceSize(users);
        int list = 8 + entries;
        ByteBuffer out = ByteBuffer.allocate(HEADER + list + service.length + system.length)
                .order(ByteOrder.LITTLE_ENDIAN);
        out.put((byte) 1).put((byte) 0).putShort((short) SELF_RELATIVE_WITH_DACL);
        out.putInt(HEADER + list)
                .putInt(HEADER + list + service.length)
                .putInt(0)
                .putInt(HEADER);
        out.put((byte) 2)
                .put((byte) 0)
                .putShort((short) list)
                .putShort((short) 4)
                .putShort((short) 0);
        ace(out, FULL, service);
        ace(out, random.nextBoolean() ? FULL : READ_AND_EXECUTE, administrators);
        ace(out, READ_AND_EXECUTE, system);
        ace(out, READ_AND_EXECUTE, users);
        return out.put(service).put(system).array();
    }

    private static int aceSize(byte[] sid) {
        return 8 + sid.length;
    }

    /** Access allowed, not inherited. */
    private static void ace(ByteBuffer out, int mask, byte[] sid) {
        out.put((byte) 0)
                .put((byte) 0)
                .putShort((short) aceSize(sid))
                .putInt(mask)
                .put(sid);
    }

    /** S-1-5 and so on. */
    private static byte[] sid(int... parts) {
        ByteBuffer out = ByteBuffer.allocate(8 + 4 * parts.length).order(ByteOrder.LITTLE_ENDIAN);
        out.put((byte) 1).put((byte) parts.length).put(new byte[] {0, 0, 0, 0, 0, 5});
        for (int part : parts) {
            out.putInt(part);
        }
        return out.array();
    }
}
