package dev.wclayer.cli;

import dev.wclayer.StatusItem;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;

@Command(name = "status", description = "Tell what this driver is and how much is in it.")
final class StatusCommand extends LayerCommand {
    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<StatusItem> items = driver.status();
        if (output.wantsJson()) {
            output.json(Json.array(items, item -> Json.texts(List.of(item.key(), item.value()))));
        } else {
            for (StatusItem item : items) {
                output.line(item.key() + ": " + item.value());
            }
        }
        return CommandLines.OK;
    }
}
