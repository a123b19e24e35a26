package dev.wclayer.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecordReaderTest {
    private final ByteBuffer batch = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);

    @Test
    void readsAllKindsOfFields() {
        int record = begin();
        batch.putLong(-5);
        text("Files/\ud800 \u00e4 \ud83d\ude00"); // a lone surrogate, an umlaut, a pair
        batch.putInt(3).put(new byte[] {1, 2, 3});
        batch.putInt(2);
        text("a");
        text("");
        end(record);
        List<Object> fields = new ArrayList<>();
        CursorHandle.decode(
                batch,
                batch.position(),
                reader -> List.of(reader.number(), reader.text(), reader.bytes(), reader.list(RecordReader::text)),
                fields::addAll);
        assertThat(fields)
                .containsExactly(-5L, "Files/\ud800 \u00e4 \ud83d\ude00", new byte[] {1, 2, 3}, List.of("a", ""));
    }

    @Test
    void readsABatchOfRecords() {
        for (long i = 0; i < 3; i++) {
            int record = begin();
            batch.putLong(i);
            end(record);
        }
        List<Long> numbers = new ArrayList<>();
        CursorHandle.decode(batch, batch.position(), RecordReader::number, numbers::add);
        assertThat(numbers).containsExactly(0L, 1L, 2L);
    }

    @Test
    void refusesARecordThatEndsEarly() {
        int record = begin();
        batch.putInt(7);
        end(record);
        assertBroken(RecordReader::number, "ends early");
    }

    @Test
    void refusesACountBeyondTheRecord() {
        int record = begin();
        batch.putInt(Integer.MAX_VALUE);
        end(record);
        assertBroken(RecordReader::text, "counts 2147483647 items where 0 bytes are left");
        assertBroken(RecordReader::bytes, "counts 2147483647 items");
        assertBroken(reader -> reader.list(RecordReader::number), "counts 2147483647 items");
    }

    @Test
    void refusesANegativeCount() {
        int record = begin();
        batch.putInt(-1);
        end(record);
        assertBroken(RecordReader::bytes, "counts 4294967295 items");
    }

    @Test
    void refusesFieldsLeftOver() {
        int record = begin();
        batch.putLong(1).putLong(2);
        end(record);
        assertBroken(RecordReader::number, "longer than its fields");
    }

    @Test
    void refusesALengthBeyondTheBatch() {
        batch.putInt(100).putLong(1);
        assertBroken(RecordReader::number, "a native record of 100 bytes in a batch with 8 left");
    }

    private void assertBroken(RecordReader.Reader<?> reader, String message) {
        assertThatThrownBy(() -> CursorHandle.decode(batch, batch.position(), reader, item -> {}))
                .isInstanceOf(InternalError.class)
                .hasMessageContaining(message);
    }

    private int begin() {
        batch.putInt(0);
        return batch.position();
    }

    private void end(int begin) {
        batch.putInt(begin - Integer.BYTES, batch.position() - begin);
    }

    private void text(String text) {
        batch.putInt(text.length());
        text.chars().forEach(unit -> batch.putChar((char) unit));
    }
}
