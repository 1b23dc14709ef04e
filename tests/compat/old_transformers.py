"""python same_start.py old_transformers.py NAME ...: three steps of small models of pytorch_transformers 1.2.0 on fixed data; prints their losses."""
import sys

import torch
from pytorch_transformers import modeling_bert, modeling_gpt2, modeling_roberta, modeling_xlm, modeling_xlnet
from pytorch_transformers.optimization import AdamW

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def xlnet():
    """Permutation language model with a target mapping, so that both streams run."""
    config = modeling_xlnet.XLNetConfig(vocab_size_or_config_json_file=99, d_model=32, n_layer=2, n_head=4, d_inner=64, mem_len=8)
    ids = torch.randint(0, 99, (3, 12))
    mapping = torch.zeros(3, 4, 12)
    for i in range(4):
        mapping[:, i, 2 * i + 1] = 1.0
    mask = torch.triu(torch.ones(12, 12), 1).repeat(3, 1, 1)
    labels = ids[:, 1:9:2].contiguous()
    return modeling_xlnet.XLNetLMHeadModel(config), {"input_ids": ids, "perm_mask": mask, "target_mapping": mapping, "labels": labels}


def roberta():
    """Masked language model."""
    config = modeling_roberta.RobertaConfig(vocab_size_or_config_json_file=99, **SMALL)
    ids = torch.randint(3, 99, (3, 12))
    return modeling_roberta.RobertaForMaskedLM(config), {"input_ids": ids, "masked_lm_labels": ids, "attention_mask": (ids > 9).long()}


def bert():
    """Masked language model and next sentence."""
    ids = torch.randint(0, 99, (3, 12))
    return modeling_bert.BertForPreTraining(modeling_bert.BertConfig(vocab_size_or_config_json_file=99, **SMALL)), {
        "input_ids": ids, "token_type_ids": (ids > 50).long(), "masked_lm_labels": ids, "next_sentence_label": torch.tensor([0, 1, 1])}


def gpt2():
    """Language model, head tied to the embedding."""
    ids = torch.randint(0, 99, (3, 12))
    return modeling_gpt2.GPT2LMHeadModel(modeling_gpt2.GPT2Config(vocab_size_or_config_json_file=99, n_positions=16, n_ctx=16, n_embd=32, n_layer=2,
                                                                 n_head=4)), {"input_ids": ids, "labels": ids}


def xlm():
    """Classification with lengths and languages."""
    config = modeling_xlm.XLMConfig(vocab_size_or_config_json_file=99, emb_dim=32, n_layers=2, n_heads=4, n_langs=2, max_position_embeddings=16)
    ids = torch.randint(3, 99, (3, 12))
    return modeling_xlm.XLMForSequenceClassification(config), {
        "input_ids": ids, "langs": (ids > 50).long(), "lengths": torch.tensor([12, 9, 5]), "labels": torch.tensor([0, 1, 1])}


def main(name):
    """Train the model called `name` for three steps; its losses are printed."""
    model, batch = {"xlnet": xlnet, "roberta": roberta, "bert": bert, "gpt2": gpt2, "xlm": xlm}[name]()
    model.train()
    optimizer = AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
    for step in range(3):
        loss = model(**batch)[0]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(f"{name} step {step} loss {loss.item():.6f}", flush=True)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        main(wanted)
